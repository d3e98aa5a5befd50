/** @type {import("../../../sdk/js/index.js").Plugin} */
export default {
  routes: {
    // {"message": "Hello, ada!", "plugin": "hello-js"}; the first word is the setting `greeting`.
    "GET /": ({ settings, user, log }) => {
      const message = greet(settings.get("greeting") ?? "Hello", user());
      log.info(message);
      return { message, plugin: "hello-js" };
    },

    "GET /whoami": ({ user }) => {
      const person = user();
      return { user_id: person?.id ?? null, username: person?.username ?? null, role: person?.role ?? null };
    },

    // Sends the body back while it still comes in, whatever its size.
    "POST /echo": ({ request }) =>
      new Response(request.body, {
        headers: { "content-type": request.headers.get("content-type") ?? "application/octet-stream" },
      }),
  },
};

export function greet(word, person) {
  return `${word}, ${person?.username ?? "stranger"}!`;
}
