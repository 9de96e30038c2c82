/** How the page looks, and the policy that lets it look so and nothing else. */
import { createHash } from 'node:crypto';

/** The style of the page: for light and dark, for a phone and a desk. */
export const STYLE = `
:root {
  color-scheme: light dark;
  --ground: #f6f7f9; --card: #fff; --line: #dfe3e8; --text: #1f2328; --soft: #57606a;
  --many: #0b57d0; --few: #1f2328; --rush: #b93c0b; --band: #fbe6db;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #16181c; --card: #1f2227; --line: #343941; --text: #e6e8eb; --soft: #a3abb4;
    --many: #8ab4f8; --few: #fff; --rush: #ffab70; --band: #43291c;
  }
}
* { box-sizing: border-box; }
body { margin: 0; font: 1rem/1.5 system-ui, sans-serif; color: var(--text); background: var(--ground); }
main { max-width: 60rem; margin: 0 auto; padding: 2.5rem 1rem 1rem; }
h1 { margin: 0 0 .75rem; text-wrap: balance; font-size: clamp(1.75rem, 5vw, 2.5rem); line-height: 1.15; overflow-wrap: anywhere; }
h2, h3 { margin: 0 0 1rem; font-size: 1.25rem; line-height: 1.3; }
p { margin: 0 0 1rem; max-width: 44rem; }
a { color: var(--many); }
.soft, small, dd small { color: var(--soft); }
section { margin: 1rem 0; padding: 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
.site { margin: 2.5rem 0 0; font-size: 1.5rem; overflow-wrap: anywhere; }
dl { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; margin: 1.5rem 0 1rem; }
@media (min-width: 40rem) { dl { grid-template-columns: repeat(3, 1fr); } }
dl div { padding: 1rem 1.25rem; background: var(--card); border: 1px solid var(--line); border-radius: .75rem; }
dt { color: var(--soft); }
dd { margin: 0; font-size: 1.75rem; font-weight: 650; line-height: 1.3; font-variant-numeric: tabular-nums; }
dd small { display: block; font-size: .875rem; font-weight: 400; line-height: 1.4; }
figure { margin: 0; }
.plot { position: relative; padding-top: 1.75rem; }
.plot svg { display: block; width: 100%; height: 13rem; }
.most { position: absolute; top: 0; left: 0; margin: 0; }
.axis { display: grid; grid-template-columns: repeat(4, 1fr); justify-items: start; max-width: none; margin: .25rem 0 0; }
.axis :nth-child(n + 4) { grid-area: 1 / 4; }
.axis :last-child { justify-self: end; }
.most, .axis { font-size: .8125rem; color: var(--soft); font-variant-numeric: tabular-nums; }
.many { fill: var(--many); } .few { fill: var(--few); } .rush { fill: var(--rush); } .band { fill: var(--band); }
.grid { fill: var(--line); } .ground { fill: var(--soft); }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: .75rem 0 0; padding: 0; list-style: none; font-size: .875rem; }
.key svg { width: .75rem; height: .75rem; margin-right: .375rem; }
table { width: 100%; border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); padding-bottom: .5rem; }
th, td { padding: .5rem 0 .5rem .75rem; text-align: right; vertical-align: baseline; border-top: 1px solid var(--line); }
thead th { padding-top: 0; border: 0; color: var(--soft); font-weight: 400; font-size: .875rem; }
th:first-child { padding-left: 0; text-align: left; }
tbody th { font-weight: 500; overflow-wrap: anywhere; }
th .bar { display: block; width: 100%; height: .375rem; margin-top: .25rem; }
details { margin-top: 1rem; }
summary { cursor: pointer; color: var(--many); }
details table { margin-top: 1rem; }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 24rem), 1fr)); column-gap: 1rem; }
footer { margin: 2rem 0 1rem; font-size: .875rem; color: var(--soft); }
`;

/** Nothing but this style: no script, no image, no frame. */
export const POLICY = `default-src 'none'; style-src 'sha256-${createHash('sha256').update(STYLE).digest('base64')}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
