// SQL over the ledger's files, by Python's sqlite3: independent of the program under test.
import { execFileSync } from "node:child_process";

const program = `
import json, sqlite3, sys
files, select = json.loads(sys.stdin.read())
rows = []
for file in files:
    connection = sqlite3.connect("file:" + file + "?mode=ro", uri=True)
    connection.row_factory = sqlite3.Row
    rows += [dict(row) for row in connection.execute(select)]
print(json.dumps(rows))
`;

export function question(files, select) {
  const text = execFileSync("python3", ["-c", program], { input: JSON.stringify([files, select]) });
  return JSON.parse(text.toString());
}
