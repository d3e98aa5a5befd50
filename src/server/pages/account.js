// Shows by what somebody can sign in, adds to it, and removes from it.

import { ask, choice, departTo, element, say, shows, signedIn, submit } from "/auth/page.js";

/** A line with a button that removes what it names. */
function removable(id, text) {
    const line = document.createElement("p");
    const button = document.createElement("button");
    button.name = "id";
    button.value = id;
    button.textContent = "Remove";
    line.append(`${text} `, button);
    return line;
}

const day = (time) => (time ? `last used ${time.slice(0, 10)}` : "not used yet");

async function look() {
    const [passkeys, known] = await Promise.all([ask("GET", "/api/passkey"), ask("GET", "/api/auth/identities")]);
    element("passkeys").replaceChildren(...passkeys.map((one) => removable(one.id, `${one.name}, ${day(one.last_used_at)}`)));
    element("identities").replaceChildren(
        ...known.linked.map((one) => removable(one.id, `${one.subject} at ${one.provider}, ${day(one.last_used_at)}`)),
    );
    element("providers").replaceChildren(...known.providers.map(({ id, name }) => choice(id, `Link ${name}`)));
}

async function begin() {
    element("who").textContent = (await signedIn()).username;
    element("add").hidden = !shows.passkeys;
    await look();
}

submit(element("add"), async ({ name }) => {
    const { ceremony, options } = await ask("POST", "/api/passkey/options");
    const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
    const credential = await navigator.credentials.create({ publicKey });
    await ask("POST", "/api/passkey", { name, ceremony, credential: credential.toJSON() });
    element("add").reset();
    await look();
    say(`The passkey ${name} is added. You can sign in with it.`);
});
submit(element("passkeys"), async ({ id }) => {
    await ask("DELETE", `/api/passkey/${id}`);
    await look();
});
submit(element("identities"), async ({ id }) => {
    await ask("DELETE", `/api/auth/identities/${id}`);
    await look();
});
submit(element("providers"), ({ provider }) => departTo(provider, "/link", location.pathname));
begin().catch((error) => say(error.message));
