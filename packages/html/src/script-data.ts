/** What a script's text does to the script's end (HTML section 13.2.5.15 and those after it). */

const TOKEN = /<!--|-->|<script[\t\n\f\r />]/gi;

/** The longest beginning of a token that isn't one yet. */
const UNFINISHED = '<script'.length;

/** The text of one script after another. */
export interface ScriptData {
  /** Takes the next part of a script's text. */
  read(part: string): void;
  /** Takes `</script>`. Tells whether that is text like the rest ("double escaped"). */
  isTextAtEnd(): boolean;
}

/** Follows the text of scripts to find out which `</script>` doesn't end one. */
export function scriptData(): ScriptData {
  let state: 'plain' | 'escaped' | 'double escaped' = 'plain';
  let unread = '';

  return {
    read(part) {
      const text = unread + part;
      let position = state === 'plain' ? text.indexOf('<!--') : 0;
      TOKEN.lastIndex = position;
      while (position >= 0) {
        const token = TOKEN.exec(text)?.[0];
        if (token === undefined) break;
        if (token === '-->') state = 'plain';
        else if (token !== '<!--') state = state === 'plain' ? 'plain' : 'double escaped';
        else if (state === 'plain') state = 'escaped';
        // The dashes that begin an escape can be those that end it: `<!-->`.
        if (token === '<!--') TOKEN.lastIndex -= 2;
        position = TOKEN.lastIndex;
      }
      unread = text.slice(Math.max(0, position, text.length - UNFINISHED));
    },
    isTextAtEnd() {
      const isText = state === 'double escaped';
      state = 'plain';
      unread = '';
      return isText;
    },
  };
}
