/** An Express application with all of Headgate's middleware: `node examples/express.ts`. */
import { instrument } from '@headgate/metrics';
import { csp } from '@headgate/middleware-csp/connect';
import { fedicache } from '@headgate/middleware-fedicache/connect';
import { mediaRedirect } from '@headgate/middleware-media-redirect/connect';
import express from 'express';
import { register } from 'prom-client';
import { IMAGE, PAGE, POLICY } from './site.ts';

const CDN = 'https://cdn.example';

/** The application. */
export const app = express();

// What the middleware do is counted beside whatever else the application counts.
instrument(register);

// First of all: before compression, sessions and whatever else reads the request.
app.use(fedicache());
app.use(mediaRedirect({ rules: [{ from: '/media/', to: `${CDN}/media/` }] }));
app.use(csp({ media: [CDN] }));

app.get('/', (_req, res) => {
  res.type('html').set('Content-Security-Policy', POLICY).send(PAGE);
});
app.get('/media/lighthouse.svg', (_req, res) => {
  res.type('svg').send(IMAGE);
});
// In your application: where Prometheus gets at it and nobody else.
app.get('/metrics', async (_req, res) => {
  res.type(register.contentType).send(await register.metrics());
});

if (import.meta.main) app.listen(3000, '127.0.0.1', () => console.log('http://127.0.0.1:3000/'));
