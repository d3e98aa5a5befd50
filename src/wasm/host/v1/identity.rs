//! `mint:platform/identity`.

use mint_context::{Page, identity};
use mint_domain::UserId;

use super::convert::{Answer, answer, timestamp};
use crate::{
    bindings::mint::platform::{
        identity::{Actor, Host, User},
        types,
    },
    store::State,
};

impl From<identity::Person> for Actor {
    fn from(person: identity::Person) -> Self {
        Self { user_id: person.user_id, username: person.username, role: person.role, plugin_role: person.plugin_role }
    }
}

impl From<identity::User> for User {
    fn from(user: identity::User) -> Self {
        Self {
            id: user.id,
            username: user.username,
            role: user.role,
            is_active: user.is_active,
            email: user.email,
            shortname: user.shortname,
            first_name: user.first_name,
            last_name: user.last_name,
            created_at: timestamp(user.created_at),
            updated_at: timestamp(user.updated_at),
        }
    }
}

impl Host for State {
    fn current(&mut self) -> wasmtime::Result<Option<Actor>> {
        Ok(identity::current(&self.call).map(Into::into))
    }

    fn permissions(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(identity::permissions(&self.call).iter().map(|permission| permission.as_str().to_owned()).collect())
    }

    fn require_role(&mut self, roles: Vec<String>) -> Answer<()> {
        answer(&self.call, identity::require_role(&self.call, &roles).map_err(Into::into))
    }

    async fn get_user(&mut self, id: types::Id) -> Answer<User> {
        answer(&self.call, identity::get_user(&self.call, UserId(id)).await.map(Into::into))
    }

    async fn find_user(&mut self, username: String) -> Answer<User> {
        answer(&self.call, identity::find_user(&self.call, &username).await.map(Into::into))
    }

    async fn list_users(&mut self, page: types::Page) -> Answer<Vec<User>> {
        let users = identity::list_users(&self.call, Page::new(page.skip, page.limit)).await;
        answer(&self.call, users.map(|users| users.into_iter().map(Into::into).collect()))
    }
}

impl types::Host for State {}
