/** An Express application that answers preview fetchers from memory: `node examples/express.ts`. */
import { fedicache } from '@headgate/middleware-fedicache/connect';
import express from 'express';
import { PAGE } from './site.ts';

/** The application. */
export const app = express();

// First of all: before compression, sessions and whatever else reads the request.
app.use(fedicache());

app.get('/', (_req, res) => {
  res.type('html').send(PAGE);
});

if (import.meta.main) app.listen(3000, '127.0.0.1', () => console.log('http://127.0.0.1:3000/'));
