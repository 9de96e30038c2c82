import http from 'node:http'; import hp from 'http-proxy-3';
const p = hp.createProxyServer({ target: process.argv[2]!, agent: new http.Agent({ keepAlive: true }) }); p.on('error',()=>{});
http.createServer((q,s)=>p.web(q,s)).listen(Number(process.argv[3]),'127.0.0.1');
