// What the pages have in common.

export const element = (id) => document.getElementById(id);

/** Asks the REST API; gives its JSON, or throws its words, with the code of the refusal. */
export async function ask(method, path, body) {
    const options = { method, headers: {} };
    if (body !== undefined) {
        options.headers["content-type"] = "application/json";
        options.body = JSON.stringify(body);
    }
    const response = await fetch(path, options);
    const text = await response.text();
    const answer = text ? JSON.parse(text) : null;
    if (!response.ok) {
        throw Object.assign(new Error(answer?.message ?? `The server answered ${response.status}.`), { code: answer?.code, status: response.status });
    }
    return answer;
}

/** Has a form do something, and says how it went. */
export function submit(form, action) {
    form.addEventListener("submit", async (event) => {
        event.preventDefault();
        // Before the buttons are disabled: what is disabled says nothing.
        const fields = Object.fromEntries(new FormData(form, event.submitter));
        const buttons = form.querySelectorAll("button");
        for (const button of buttons) button.disabled = true;
        say("");
        try {
            await action(fields);
        } catch (error) {
            say(error.message);
        } finally {
            for (const button of buttons) button.disabled = false;
        }
    });
}

export function say(words) {
    element("said").textContent = words;
}

/** Shows one of the page's parts. None is seen before its script can answer: a browser would send the form itself. */
export function show(part) {
    for (const one of document.querySelectorAll("[data-part]")) one.hidden = one.dataset.part !== part;
}

/** What this browser can do here. Without https, or at an address that is a number, there are no passkeys. */
export const shows = {
    passkeys: Boolean(window.PublicKeyCredential?.parseRequestOptionsFromJSON) && !/^[\d.]+$|:/.test(location.hostname),
};

/** Who is signed in; whoever is not goes to sign in first, and comes back. */
export async function signedIn() {
    try {
        return await ask("GET", "/api/auth/verify");
    } catch (error) {
        if (error.status !== 401) throw error;
        location.replace(`/auth/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`);
        return new Promise(() => {});
    }
}

/** A path of this server, whatever was asked for. */
export function next(path) {
    const url = new URL(path || "/", location.origin);
    return url.origin === location.origin && path?.startsWith("/") ? url.pathname + url.search : "/";
}

/** A button for another server. */
export function choice(provider, text) {
    const button = document.createElement("button");
    Object.assign(button, { name: "provider", value: provider, textContent: text });
    return button;
}

const JOURNEY = "mint-journey";

/** Goes to another server, to come back to a page of this one. */
export async function departTo(provider, how, path) {
    const { url } = await ask("POST", `/api/auth/external/${encodeURIComponent(provider)}${how}`);
    sessionStorage.setItem(JOURNEY, JSON.stringify({ provider, links: how !== "", next: path }));
    location.assign(url);
}

/** The journey from which somebody comes back. */
export function departed(provider) {
    const journey = JSON.parse(sessionStorage.getItem(JOURNEY) ?? "{}");
    sessionStorage.removeItem(JOURNEY);
    return journey.provider === provider ? journey : { links: false, next: "/" };
}
