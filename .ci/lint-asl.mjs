// Runs AWS's own language service (what its console and editors show) over the state machines named as arguments.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

const { TextDocument, getLanguageService } = createRequire(import.meta.url)("amazon-states-language-service");
const service = getLanguageService({});
let found = 0;

for (const path of process.argv.slice(2)) {
  const document = TextDocument.create(path, "asl", 1, readFileSync(path, "utf8"));
  for (const { message, range } of await service.doValidation(document, service.parseJSONDocument(document))) {
    console.error(`${path}:${range.start.line + 1}: ${message}`);
    found += 1;
  }
}
process.exit(found ? 1 : 0);
