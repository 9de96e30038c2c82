/** A page such as a blog has, of any size, the same each time. */

const WORDS =
  `the of and to in a is that for it as was with be by on not he his but at are this have from or
had an they which one you were her all she there would their we him been has when who will more no if
out so said what up its about into than them can only other new some could time these two may then do
first any my now such like our over man me even most made after also did many before must through back
years where much your way well down should because each just those people how too little state good very
make world still own see men work long get here between both life being under never day same another`.split(
    /\s+/,
  );

/** What software for blogs writes into a head: a card, a feed, a verified link, styles and scripts. */
const HEAD = `<!doctype html>
<html lang="en" prefix="og: https://ogp.me/ns#">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>A walk along the river · The Weekly Path</title>
<meta name="description" content="Twelve miles, two ferries and a heron: what we saw between the mill and the sea.">
<meta property="og:site_name" content="The Weekly Path">
<meta property="og:type" content="article">
<meta property="og:title" content="A walk along the river">
<meta property="og:description" content="Twelve miles, two ferries and a heron: what we saw between the mill and the sea.">
<meta property="og:url" content="https://path.example/2026/a-walk-along-the-river/">
<meta property="og:image" content="https://path.example/media/2026/river-1200x630.jpg">
<meta property="og:image:width" content="1200">
<meta property="og:image:height" content="630">
<meta property="og:image:alt" content="A heron on a post in shallow water, early morning.">
<meta property="article:published_time" content="2026-03-14T08:00:00Z">
<meta property="article:author" content="Jo Example">
<meta name="twitter:card" content="summary_large_image">
<meta name="fediverse:creator" content="@jo@social.example">
<link rel="canonical" href="https://path.example/2026/a-walk-along-the-river/">
<link rel="alternate" type="application/rss+xml" href="/feed.xml" title="The Weekly Path">
<link rel="icon" href="/favicon.ico">
<link rel="me" href="https://social.example/@jo">
<link rel="stylesheet" href="/assets/main.css">
`;

/** A page of so many bytes: a head of a few KiB, then text in paragraphs. */
export function pageOf(bytes: number): Buffer {
  const word = words();
  let page = `${HEAD}<style>\n`;
  while (page.length < bytes / 15)
    page += `.${word()}-${word()} { margin: 0 auto; color: #345; }\n`;
  page += '</style>\n<script src="/assets/main.js" defer></script>\n</head>\n<body>\n';
  while (page.length < bytes) {
    const sentence = Array.from({ length: 60 }, word).join(' ');
    page += `<p class="entry-text">${sentence} <a href="/tag/${word()}/">${word()}</a>.</p>\n`;
  }
  return Buffer.from(page.slice(0, bytes));
}

/** Words in an order that looks random and is always the same, so that gzip finds what it would. */
function words(): () => string {
  let seed = 42;
  return () => {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return WORDS[seed % WORDS.length] ?? '';
  };
}
