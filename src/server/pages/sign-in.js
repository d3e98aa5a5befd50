// Signs in with a password, a passkey, or at another server, and goes on to where somebody wanted to go.

import { ask, choice, departTo, element, next, say, show, shows, submit } from "/auth/page.js";

const goOn = () => location.replace(next(new URLSearchParams(location.search).get("next")));
const tenant = element("sign-in").elements.tenant;

/** Offers what there is for the laboratory that is typed. */
async function offer() {
    const methods = await ask("GET", `/api/auth/methods?tenant=${encodeURIComponent(tenant.value)}`);
    element("passkey").hidden = !(methods.passkey && shows.passkeys);
    element("providers").replaceChildren(...methods.providers.map(({ id, name }) => choice(id, `Sign in at ${name}`)));
}

submit(element("sign-in"), async (fields) => {
    await ask("POST", "/api/auth/login", fields);
    goOn();
});
submit(element("passkey"), async () => {
    const { ceremony, options } = await ask("POST", "/api/passkey/sign-in/options");
    const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
    const credential = await navigator.credentials.get({ publicKey });
    await ask("POST", "/api/passkey/sign-in", { ceremony, credential: credential.toJSON() });
    goOn();
});
submit(element("providers"), ({ provider }) =>
    departTo(provider, "", next(new URLSearchParams(location.search).get("next"))));
show("sign-in");
tenant.addEventListener("change", () => offer().catch((error) => say(error.message)));
offer().catch((error) => say(error.message));
