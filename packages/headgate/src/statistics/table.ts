/** A table that can be read aloud: each cell has its row and its column. */

/** Makes it of rows in HTML. `columns` and `caption` are text. */
export function table(
  columns: readonly string[],
  rows: readonly string[],
  caption?: string,
): string {
  const head = columns.map((column) => `<th scope="col">${column}</th>`).join('');
  return `<table>
${caption === undefined ? '' : `<caption>${caption}</caption>\n`}<thead><tr>${head}</tr></thead>
<tbody>
${rows.join('\n')}
</tbody>
</table>`;
}
