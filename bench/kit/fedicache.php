<?php
// The idea of the first Fedicache, written afresh from its description: a page that a fetcher asks for is
// cut to its head and its rel=me links, and kept as a file. Nothing keeps two from fetching it at once.
$file = __DIR__ . '/' . sha1($_SERVER['REQUEST_URI']);
if (!is_file($file)) {
    $page = file_get_contents($_SERVER['ORIGIN'] . $_SERVER['REQUEST_URI']);
    if ($page === false) {
        http_response_code(502);
        exit;
    }
    $end = stripos($page, '</head>');
    $head = $end === false ? $page : substr($page, 0, $end + 7);
    preg_match_all('/<(?:a|link)\s[^>]*\brel="?[^">]*\bme\b[^>]*>/i', substr($page, strlen($head)), $links);
    file_put_contents($file, $head . '<body>' . implode($links[0]) . '</body></html>', LOCK_EX);
}
header('Content-Type: text/html; charset=utf-8');
header('Fedicache: Active');
header('Content-Length: ' . filesize($file));
readfile($file);
