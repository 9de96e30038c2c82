import { createServer } from '@headgate/core/server'; import { upstreamTo } from '@headgate/core/upstream'; import { tunnelTo } from '@headgate/core/upgrade';
const up = process.argv[2]!;
createServer({ handler: upstreamTo(up).handler, tunnel: tunnelTo(up), finished: ({request,status,bytesIn,bytesOut,ms,error}) => process.env.Q || console.log(request.method, request.url, status, bytesIn, bytesOut, ms.toFixed(1), error?.code??'', error?.message ?? '') }).listen(Number(process.argv[3]), '127.0.0.1');
