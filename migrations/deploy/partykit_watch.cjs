// Loaded into PartyKit's CLI with `node --require`. The CLI shows the text of a refusal and not its status, and signs in
// with a browser where it finds no sign-in. This writes what was answered, a JSON line each, to the file that
// CHATOPS_ANSWERS names, and ends the CLI instead of a sign-in. No header and no body is looked at.
"use strict";
const { appendFileSync } = require("node:fs");
const { subscribe } = require("node:diagnostics_channel");
const childProcess = require("node:child_process");
const { syncBuiltinESMExports } = require("node:module");

const file = process.env.CHATOPS_ANSWERS;
const write = (line) => file && appendFileSync(file, `${JSON.stringify(line)}\n`);
const about = ({ method, path }) => ({ method, path: String(path).split("?")[0] });

// undici's own channels: https://github.com/nodejs/undici/blob/main/docs/docs/api/DiagnosticsChannel.md
subscribe("undici:request:create", ({ request }) => write(about(request)));
subscribe("undici:request:headers", ({ request, response }) =>
  write({ ...about(request), status: response.statusCode }),
);
subscribe("undici:request:error", ({ request, error }) =>
  write({ ...about(request), fault: error.code ?? error.cause?.code ?? error.name }),
);

const refuseSignIn = () => {
  write({ sign_in: true });
  process.exit(1);
};
const { log } = console;
console.log = (...words) => (words[0] === "Attempting to login..." ? refuseSignIn() : log(...words));
const { spawn } = childProcess;
childProcess.spawn = (command, ...rest) =>
  /(^|[\\/])(xdg-open|open|powershell(\.exe)?)$/i.test(command) ? refuseSignIn() : spawn(command, ...rest);
syncBuiltinESMExports();
