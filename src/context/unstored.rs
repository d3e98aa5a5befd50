//! Settings of installations that are not in the database: those of plugins that are being developed.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use mint_domain::InstallationId;
use serde_json::Value;

/// What would be stored, by installation. Their ids are below zero, where the database gives none.
#[derive(Debug, Default)]
pub struct Unstored(Mutex<HashMap<InstallationId, Value>>);

impl Unstored {
    /// Begins to keep the settings of an installation.
    pub fn keep(&self, installation: InstallationId, settings: Value) {
        self.settings().insert(installation, settings);
    }

    /// Forgets an installation.
    pub fn forget(&self, installation: InstallationId) {
        self.settings().remove(&installation);
    }

    /// The settings of an installation that is kept here.
    pub(crate) fn get(&self, installation: InstallationId) -> Option<Value> {
        self.settings().get(&installation).cloned()
    }

    /// Puts `values` in the place of `expected`; false when something else stands there. None where the installation is
    /// not kept here.
    pub(crate) fn swap(&self, installation: InstallationId, expected: &Value, values: &Value) -> Option<bool> {
        let mut all = self.settings();
        let present = all.get_mut(&installation)?;
        let same = present == expected;
        if same {
            *present = values.clone();
        }
        Some(same)
    }

    fn settings(&self) -> MutexGuard<'_, HashMap<InstallationId, Value>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn settings_change_once_from_what_they_are() {
        let (unstored, id) = (Unstored::default(), InstallationId(-1));
        assert_eq!((unstored.get(id), unstored.swap(id, &json!({}), &json!({}))), (None, None));
        unstored.keep(id, json!({}));
        assert_eq!(unstored.swap(id, &json!({}), &json!({ "a": 1 })), Some(true));
        assert_eq!(unstored.swap(id, &json!({}), &json!({ "a": 2 })), Some(false));
        assert_eq!(unstored.get(id), Some(json!({ "a": 1 })));
        unstored.forget(id);
        assert_eq!(unstored.get(id), None);
    }
}
