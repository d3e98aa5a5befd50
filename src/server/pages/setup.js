// Makes the first administrator with the token of the link, which stays out of the address, the history and every log.

import { ask, element, say, show, submit } from "/auth/page.js";

const token = location.hash.slice(1);
history.replaceState(null, "", location.pathname);
show(token ? "setup" : "");
if (!token) {
    say("Open the link that stands in the file `setup-link` in the data directory of the server.");
}
submit(element("setup"), async (fields) => {
    const user = await ask("POST", "/api/setup", { ...fields, token });
    show("");
    say(`${user.username} is the administrator. Sign in with: mint auth login ${user.username}`);
});
