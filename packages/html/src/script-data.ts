/** What a script's text does to the end of the script (HTML section 13.2.5.15 and following). */

const TOKEN = /<!--|-->|<script[\t\n\f\r />]/gi;

/** Bytes that a token's beginning may have, less than the longest token. */
const KEPT = 7;

/** Follows the text of one script after another. */
export interface ScriptData {
  /** Takes the next part of a script's text, which must not contain its end tag. */
  read(part: string): void;
  /** Tells whether `</script>` is text here ("double escaped"), and begins with another script. */
  end(): boolean;
}

/** Follows the text of scripts to find out which `</script>` doesn't end one. */
export function scriptData(): ScriptData {
  let state: 'plain' | 'escaped' | 'double-escaped' = 'plain';
  let kept = '';

  return {
    read(part) {
      const text = kept + part;
      let from = state === 'plain' ? text.indexOf('<!--') : 0;
      if (from >= 0) {
        TOKEN.lastIndex = from;
        for (let token = TOKEN.exec(text); token !== null; token = TOKEN.exec(text)) {
          if (token[0] === '-->') state = 'plain';
          else if (token[0] !== '<!--') state = state === 'plain' ? 'plain' : 'double-escaped';
          // The dashes that begin an escape may end it too: `<!-->`.
          else {
            if (state === 'plain') state = 'escaped';
            TOKEN.lastIndex -= 2;
          }
          from = TOKEN.lastIndex;
        }
      }
      kept = text.slice(Math.max(from, text.length - KEPT));
    },
    end() {
      const isText = state === 'double-escaped';
      state = 'plain';
      kept = '';
      return isText;
    },
  };
}
