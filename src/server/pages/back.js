// Hands over what somebody came back with from another server. It stays out of the address and the history.

import { ask, departed, element, next, say } from "/auth/page.js";

const parameters = new URLSearchParams(location.search);
const provider = location.pathname.split("/").pop();
history.replaceState(null, "", location.pathname);
try {
    const journey = departed(provider);
    if (parameters.get("error")) {
        throw new Error(parameters.get("error_description") ?? `The other server refused (${parameters.get("error")}).`);
    }
    const back = { state: parameters.get("state") ?? "", code: parameters.get("code") ?? "" };
    if (parameters.has("iss")) back.iss = parameters.get("iss");
    await ask("POST", `/api/auth/external/${provider}/${journey.links ? "identity" : "session"}`, back);
    location.replace(next(journey.next));
} catch (error) {
    say(error.message);
    element("again").hidden = false;
}
