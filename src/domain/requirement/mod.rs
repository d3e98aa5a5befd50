//! What Python packages require (PEP 440, PEP 508), and where that cannot be met. `uv` resolves; this tells beforehand what
//! no resolution can satisfy, and says nothing where it is not certain.

mod clash;
mod environment;
mod lock;
mod python_parts;
mod set;
mod text;
mod want;
mod wheel;

pub use clash::{Clash, find as find_clash};
pub use environment::Environment;
pub use lock::Lock;
pub(crate) use python_parts::exact;
pub use python_parts::{BundledWheel, Pins, PythonParts, Reached};
pub use set::VersionSet;
pub use text::{PackageRequirement, Unusable};
pub use want::{PYTHON, Want};
pub use wheel::{InvalidWheel, WheelMetadata, is_pure};
