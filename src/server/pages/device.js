// Lets a program in that shows a code elsewhere, or refuses it.

import { ask, element, say, show, signedIn, submit } from "/auth/page.js";

const device = () => `/api/oauth/device/${encodeURIComponent(code)}`;
let code = new URLSearchParams(location.search).get("user_code") ?? "";

/** Goes as far as what is known allows: which code it is about. */
async function goOn() {
    const me = await signedIn();
    for (const who of document.querySelectorAll(".who")) who.textContent = me.username;
    if (!code) return show("type");
    let waiting;
    try {
        waiting = await ask("GET", device());
    } catch (error) {
        code = "";
        show("type");
        throw error;
    }
    element("shown").textContent = code.toUpperCase();
    element("program").textContent = waiting.user_agent ?? "It does not say.";
    element("address").textContent = waiting.address ?? "an unknown address";
    element("may").textContent = waiting.read_only ? "look, and change nothing" : "do all that you may";
    show("decide");
}

submit(element("type"), async (fields) => {
    code = fields.user_code;
    await goOn();
});
submit(element("decide"), async ({ answer }) => {
    const allow = answer === "allow";
    await ask("POST", device(), { allow });
    show("");
    say(allow ? "The program is let in. You can close this page." : "The program is refused. You can close this page.");
});
goOn().catch((error) => say(error.message));
