// Reads one JSON string per line, which holds a document; prints for each a line: null if JSON.parse
// refuses it, else [its canonical form]. ECMAScript writes numbers and strings as RFC 8785 asks and sorts
// strings by UTF-16 code units, so all that is left to do is to sort the keys.
import { createInterface } from 'node:readline';

function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const members = Object.keys(value).sort().map((key) => `${JSON.stringify(key)}:${canonical(value[key])}`);
  return `{${members.join(',')}}`;
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer = null;
  try {
    answer = [canonical(JSON.parse(JSON.parse(line)))];
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  console.log(JSON.stringify(answer));
}
