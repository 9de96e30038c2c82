/** A small web site to try Headgate on: a page with a head, rel=me links, a large body, an image. */
import { createServer, type Server } from 'node:http';

const PARAGRAPH = `<p>${'A long article, which a link preview never shows. '.repeat(40)}</p>\n`;

/** The page of the example site. */
export const PAGE = `<!doctype html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <title>The lighthouse keeper’s log</title>
  <meta name="description" content="Wind, weather and visitors, every day since 1987.">
  <meta property="og:title" content="The lighthouse keeper’s log">
  <meta property="og:description" content="Wind, weather and visitors, every day since 1987.">
  <meta property="og:image" content="/media/lighthouse.svg">
  <meta name="viewport" content="width=device-width">
  <style>body { font: 18px/1.5 serif; max-width: 40em; margin: 2em auto; padding: 0 1em }</style>
</head>
<body>
<h1>The lighthouse keeper’s log</h1>
<img src="/media/lighthouse.svg" alt="A lighthouse at dusk" width="320" height="200">
${PARAGRAPH.repeat(60)}
<footer>Also at <a rel="me" href="https://social.example/@keeper">@keeper@social.example</a></footer>
</body>
</html>
`;

/** Its image. */
export const IMAGE = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 200" width="320" height="200">
  <rect width="320" height="200" fill="#1d3557"/>
  <path d="M160 60 L320 20 V100 Z" fill="#ffe8a3" opacity=".7"/>
  <path d="M148 70 h24 l10 130 h-44 z" fill="#f1faee"/><path d="M142 100 h36 l3 30 h-42 z" fill="#e63946"/>
  <rect x="146" y="48" width="28" height="22" fill="#ffd166"/>
</svg>
`;

/** What it allows a browser to load. */
export const POLICY = "default-src 'self'; style-src 'unsafe-inline'";

/** Makes the site's server; `asked` is told of every request, so that one sees which arrive. */
export function site(asked: (line: string) => void): Server {
  return createServer(({ method, url, headers }, res) => {
    asked(`${method} ${url} (${headers['user-agent'] ?? 'no User-Agent'})`);
    if (url === '/media/lighthouse.svg') {
      res.writeHead(200, { 'content-type': 'image/svg+xml' }).end(IMAGE);
    } else if (url === '/') {
      res.setHeader('content-security-policy', POLICY);
      res.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(PAGE);
    } else {
      res.writeHead(404, { 'content-type': 'text/plain' }).end('Not here.\n');
    }
  });
}
