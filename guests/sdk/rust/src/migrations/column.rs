//! Columns, said in a line.

use super::{Column, ColumnType, DefaultValue, OnDelete};
use crate::database::Value;
use crate::platform::migration_ops::Reference;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident => $kind:ident),* $(,)?) => {
        $($(#[$doc])* pub fn $name(name: &str) -> Self {
            Self::new(name, ColumnType::$kind)
        })*
    };
}

impl Column {
    /// A column that can hold nothing, and does where nothing is said.
    pub fn new(name: &str, kind: ColumnType) -> Self {
        Self {
            name: name.to_owned(),
            kind,
            nullable: true,
            default: None,
            unique: false,
            primary_key: false,
            counted: false,
            references: None,
        }
    }

    /// The primary key of a table, counted up by the database.
    pub fn id(name: &str) -> Self {
        Self { primary_key: true, counted: true, ..Self::bigint(name).not_null() }
    }

    kinds! {
        /// Whole numbers of 32 bits.
        integer => Integer,
        /// Whole numbers of 64 bits.
        bigint => Bigint,
        /// Numbers of 64 bits.
        real => Real,
        /// Exact decimals.
        decimal => Decimal,
        /// Text.
        text => Text,
        /// Yes or no.
        boolean => Boolean,
        /// Moments, in RFC 3339.
        timestamp => Timestamp,
        /// Calendar dates, `YYYY-MM-DD`.
        date => Date,
        /// JSON documents.
        json => Json,
        /// UUIDs.
        uuid => Uuid,
        /// Bytes.
        blob => Blob,
    }

    /// Cannot hold nothing.
    #[must_use]
    pub fn not_null(self) -> Self {
        Self { nullable: false, ..self }
    }

    /// Holds this where nothing is said.
    #[must_use]
    pub fn default(self, value: impl Into<Value>) -> Self {
        Self { default: Some(DefaultValue::Literal(value.into())), ..self }
    }

    /// Holds the moment of the insert where nothing is said: for a timestamp.
    #[must_use]
    pub fn default_now(self) -> Self {
        Self { default: Some(DefaultValue::Now), ..self }
    }

    /// No two rows have the same.
    #[must_use]
    pub fn unique(self) -> Self {
        Self { unique: true, ..self }
    }

    /// Is of the primary key, alone or with others.
    #[must_use]
    pub fn primary_key(self) -> Self {
        Self { primary_key: true, nullable: false, ..self }
    }

    /// Holds values of a column of another table, whose rows then cannot be deleted.
    #[must_use]
    pub fn references(self, table: &str, column: &str) -> Self {
        self.refers(table, column, OnDelete::Refuse)
    }

    /// Holds values of a column of another table, and goes with its rows.
    #[must_use]
    pub fn belongs_to(self, table: &str, column: &str) -> Self {
        self.refers(table, column, OnDelete::Cascade)
    }

    /// Holds values of a column of another table, and nothing when its rows go.
    #[must_use]
    pub fn may_refer_to(self, table: &str, column: &str) -> Self {
        self.refers(table, column, OnDelete::SetNull)
    }

    fn refers(self, table: &str, column: &str, on_delete: OnDelete) -> Self {
        let references = Reference { table: table.to_owned(), column: column.to_owned(), on_delete };
        Self { references: Some(references), ..self }
    }
}
