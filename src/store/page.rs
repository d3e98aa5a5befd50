//! A window on a list.

/// Which part of a list to give.
#[derive(Clone, Copy, Debug)]
pub struct Page {
    /// Items to pass over.
    pub skip: i64,
    /// Most items to give.
    pub limit: i64,
}

impl Page {
    /// Most items in one answer.
    pub const LIMIT_MAX: u32 = 1_000;

    /// A window, its length lowered to [`Page::LIMIT_MAX`].
    pub fn new(skip: u32, limit: u32) -> Self {
        Self { skip: i64::from(skip), limit: i64::from(limit.min(Self::LIMIT_MAX)) }
    }
}
