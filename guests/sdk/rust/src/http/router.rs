use super::path::matches;
use super::{Request, Response};
use crate::bindings::routes::exports::mint::plugin::routes;
use crate::{Error, Result, log};

/// What answers a request.
pub type Handler = fn(Request) -> Result<Response>;

/// A method, a pattern and what answers them. `{name}` in a pattern stands for one segment of the path.
#[derive(Debug)]
pub struct Route {
    method: &'static str,
    pattern: &'static str,
    handler: Handler,
}

impl Route {
    /// Answers a method under a pattern that begins with `/`, counted from the prefix of the plugin.
    pub const fn new(method: &'static str, pattern: &'static str, handler: Handler) -> Self {
        Self { method, pattern, handler }
    }

    /// Answers `GET`, and `HEAD` without the body.
    pub const fn get(pattern: &'static str, handler: Handler) -> Self {
        Self::new("GET", pattern, handler)
    }

    /// Answers `POST`.
    pub const fn post(pattern: &'static str, handler: Handler) -> Self {
        Self::new("POST", pattern, handler)
    }

    /// Answers `PUT`.
    pub const fn put(pattern: &'static str, handler: Handler) -> Self {
        Self::new("PUT", pattern, handler)
    }

    /// Answers `DELETE`.
    pub const fn delete(pattern: &'static str, handler: Handler) -> Self {
        Self::new("DELETE", pattern, handler)
    }

    fn answers(&self, method: &str) -> bool {
        self.method == method || (self.method == "GET" && method == "HEAD")
    }
}

/// A table of routes, tried in order; it is made at compile time, so that a fresh instance has nothing to set up.
#[derive(Debug)]
pub struct Router {
    routes: &'static [Route],
}

/// What a router found.
enum Found {
    Handler(Handler, Vec<(&'static str, String)>),
    OtherMethods(String),
    Nothing,
}

impl Router {
    /// A router over these routes.
    pub const fn new(routes: &'static [Route]) -> Self {
        Self { routes }
    }

    fn find(&self, method: &str, path: &str) -> Found {
        let mut allowed = String::new();
        for route in self.routes {
            if let Some(parameters) = matches(route.pattern, path) {
                if route.answers(method) {
                    return Found::Handler(route.handler, parameters);
                }
                if !allowed.is_empty() {
                    allowed.push_str(", ");
                }
                allowed.push_str(route.method);
            }
        }
        if allowed.is_empty() { Found::Nothing } else { Found::OtherMethods(allowed) }
    }
}

/// Answers one request.
pub(crate) fn serve(router: &Router, brief: routes::Request) -> Option<routes::Response> {
    let id = brief.id.clone();
    let mut request = Request::new(brief);
    let with_body = request.method() != "HEAD";
    let answer = match router.find(request.method(), request.path()) {
        Found::Handler(handler, parameters) => {
            request.set_parameters(parameters);
            handler(request)
        }
        Found::OtherMethods(allowed) => {
            let message = format!("this path answers {allowed}, not {}", request.method());
            let error = Error::new(405, "request.method_not_allowed", message);
            Ok(Response::error(&error, &id).header("allow", allowed))
        }
        Found::Nothing => Err(Error::not_found(format!("no route for {} {}", request.method(), request.path()))),
    };
    let response = answer.unwrap_or_else(|error| {
        if error.status() >= 500 {
            log::error(error.message());
        }
        Response::error(&error, &id)
    });
    response.give(with_body)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(_: Request) -> Result<Response> {
        Ok(Response::empty(201))
    }

    static ROUTER: Router = Router::new(&[Route::get("/", one), Route::get("/runs/{id}", one), Route::post("/runs/{id}", one)]);

    #[test]
    fn a_route_is_found_with_its_parameters() {
        let Found::Handler(_, parameters) = ROUTER.find("POST", "/runs/7") else { panic!("no route") };
        assert_eq!(parameters, [("id", "7".to_owned())]);
        assert!(matches!(ROUTER.find("HEAD", "/"), Found::Handler(..)));
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        let Found::OtherMethods(allowed) = ROUTER.find("PUT", "/runs/7") else { panic!("found") };
        assert_eq!(allowed, "GET, POST");
        assert!(matches!(ROUTER.find("GET", "/elsewhere"), Found::Nothing));
    }
}
