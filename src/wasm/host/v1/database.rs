//! `mint:platform/database`.

use std::sync::{Arc, Weak};

use mint_context::{Result, database};
use mint_domain::Refusal;
use tokio::sync::Mutex;
use wasmtime::component::Resource;

use super::convert::{Answer, answer};
use crate::{
    bindings::mint::platform::database::{Host, HostCursor, HostTransaction, Row, Rows, Value},
    store::State,
};

type Slot<T> = Arc<Mutex<Option<T>>>;

/// The resource `transaction`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it under the name of the resource")]
pub struct Transaction(Slot<database::Transaction>);

/// The resource `cursor`.
#[derive(Debug)]
#[expect(unreachable_pub, reason = "the generated bindings export it under the name of the resource")]
pub struct Cursor(Slot<database::Cursor>);

/// What a call has open in the database. A guest may keep the handles; what they stand for ends with the call.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    transactions: Vec<Weak<Mutex<Option<database::Transaction>>>>,
    cursors: Vec<Weak<Mutex<Option<database::Cursor>>>>,
}

impl Sessions {
    /// Ends all of them. Nobody is in the middle of a statement any more: the guest has returned, or is gone.
    pub(crate) fn end(&mut self) {
        for slot in self.transactions.drain(..).filter_map(|slot| slot.upgrade()) {
            drop(slot.try_lock().map(|mut transaction| transaction.take()));
        }
        for slot in self.cursors.drain(..).filter_map(|slot| slot.upgrade()) {
            drop(slot.try_lock().map(|mut cursor| cursor.take()));
        }
    }

    fn transaction(&mut self, transaction: database::Transaction) -> Transaction {
        self.transactions.retain(|slot| slot.strong_count() > 0);
        let slot = Arc::new(Mutex::new(Some(transaction)));
        self.transactions.push(Arc::downgrade(&slot));
        Transaction(slot)
    }

    fn cursor(&mut self, cursor: database::Cursor) -> Cursor {
        self.cursors.retain(|slot| slot.strong_count() > 0);
        let slot = Arc::new(Mutex::new(Some(cursor)));
        self.cursors.push(Arc::downgrade(&slot));
        Cursor(slot)
    }
}

fn over(what: &str) -> Refusal {
    Refusal::invalid(format!("The {what} ended with the call in which it began."))
}

impl From<Value> for database::Value {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Boolean(flag) => Self::Boolean(flag),
            Value::Integer(number) => Self::Integer(number),
            Value::Real(number) => Self::Real(number),
            Value::Text(text) => Self::Text(text),
            Value::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

impl From<database::Value> for Value {
    fn from(value: database::Value) -> Self {
        match value {
            database::Value::Null => Self::Null,
            database::Value::Boolean(flag) => Self::Boolean(flag),
            database::Value::Integer(number) => Self::Integer(number),
            database::Value::Real(number) => Self::Real(number),
            database::Value::Text(text) => Self::Text(text),
            database::Value::Blob(bytes) => Self::Blob(bytes),
        }
    }
}

pub(super) fn given(parameters: Vec<Value>) -> Vec<database::Value> {
    parameters.into_iter().map(Into::into).collect()
}

fn shown(rows: Vec<database::Row>) -> Vec<Row> {
    rows.into_iter().map(|row| row.into_iter().map(Into::into).collect()).collect()
}

impl From<database::Rows> for Rows {
    fn from(found: database::Rows) -> Self {
        Self { columns: found.columns, rows: shown(found.rows) }
    }
}

impl Host for State {
    async fn query(&mut self, sql: String, parameters: Vec<Value>) -> Answer<Rows> {
        answer(&self.call, database::query(&self.call, sql, given(parameters)).await.map(Into::into))
    }

    async fn execute(&mut self, sql: String, parameters: Vec<Value>) -> Answer<u64> {
        answer(&self.call, database::execute(&self.call, sql, given(parameters)).await)
    }

    async fn begin(&mut self) -> Answer<Resource<Transaction>> {
        match database::begin(&self.call).await {
            Ok(transaction) => Ok(Ok(self.table.push(self.sessions.transaction(transaction))?)),
            Err(error) => answer(&self.call, Err(error)),
        }
    }

    async fn open(&mut self, sql: String, parameters: Vec<Value>) -> Answer<Resource<Cursor>> {
        match database::open(&self.call, sql, given(parameters)).await {
            Ok(cursor) => Ok(Ok(self.table.push(self.sessions.cursor(cursor))?)),
            Err(error) => answer(&self.call, Err(error)),
        }
    }
}

impl HostTransaction for State {
    async fn query(&mut self, transaction: Resource<Transaction>, sql: String, parameters: Vec<Value>) -> Answer<Rows> {
        let slot = Arc::clone(&self.table.get(&transaction)?.0);
        let done: Result<_> = match slot.lock().await.as_mut() {
            Some(transaction) => transaction.query(&self.call, sql, given(parameters)).await,
            None => Err(over("transaction").into()),
        };
        answer(&self.call, done.map(Into::into))
    }

    async fn execute(&mut self, transaction: Resource<Transaction>, sql: String, parameters: Vec<Value>) -> Answer<u64> {
        let slot = Arc::clone(&self.table.get(&transaction)?.0);
        let done: Result<_> = match slot.lock().await.as_mut() {
            Some(transaction) => transaction.execute(&self.call, sql, given(parameters)).await,
            None => Err(over("transaction").into()),
        };
        answer(&self.call, done)
    }

    async fn commit(&mut self, transaction: Resource<Transaction>) -> Answer<()> {
        let slot = self.table.delete(transaction)?.0;
        let taken = slot.lock().await.take();
        let done: Result<_> = match taken {
            Some(transaction) => transaction.commit(&self.call).await,
            None => Err(over("transaction").into()),
        };
        answer(&self.call, done)
    }

    async fn drop(&mut self, transaction: Resource<Transaction>) -> wasmtime::Result<()> {
        self.table.delete(transaction)?;
        Ok(())
    }
}

impl HostCursor for State {
    async fn columns(&mut self, cursor: Resource<Cursor>) -> wasmtime::Result<Vec<String>> {
        let slot = Arc::clone(&self.table.get(&cursor)?.0);
        let columns = slot.lock().await.as_ref().map(|cursor| cursor.columns().to_vec());
        Ok(columns.unwrap_or_default())
    }

    async fn next(&mut self, cursor: Resource<Cursor>, rows_max: u32) -> Answer<Vec<Row>> {
        let slot = Arc::clone(&self.table.get(&cursor)?.0);
        let batch: Result<_> = match slot.lock().await.as_mut() {
            Some(cursor) => cursor.next(&self.call, rows_max).await,
            None => Err(over("cursor").into()),
        };
        answer(&self.call, batch.map(shown))
    }

    async fn drop(&mut self, cursor: Resource<Cursor>) -> wasmtime::Result<()> {
        self.table.delete(cursor)?;
        Ok(())
    }
}
