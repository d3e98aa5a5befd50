//! What the plugin says, apart from HTTP.

use serde_json::{Value, json};

/// `Hello, ada!`, or to a stranger.
pub fn greet(username: Option<&str>) -> String {
    format!("Hello, {}!", username.unwrap_or("stranger"))
}

/// The signed-in person, or nulls.
pub fn person(id: Option<&str>, username: Option<&str>, role: Option<&str>) -> Value {
    json!({ "user_id": id.and_then(|id| id.parse::<i64>().ok()), "username": username, "role": role })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_unknown_is_a_stranger() {
        assert_eq!(greet(Some("ada")), "Hello, ada!");
        assert_eq!(greet(None), "Hello, stranger!");
    }

    #[test]
    fn nobody_is_null() {
        assert_eq!(person(Some("7"), Some("ada"), Some("admin"))["user_id"], 7);
        assert!(person(None, None, None)["username"].is_null());
    }
}
