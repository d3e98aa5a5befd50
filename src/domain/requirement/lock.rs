//! The lock of a bundle: a requirements file with versions and hashes.

use super::{PackageRequirement, Unusable};

/// Its requirements, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lock {
    /// Its requirements.
    pub requirements: Vec<PackageRequirement>,
    /// Lines that are not requirements.
    pub unusable: Vec<Unusable>,
}

impl Lock {
    /// Reads a requirements file as uv and pip do: a backslash continues a line, ` #` begins a comment.
    pub fn parse(text: &str) -> Self {
        let mut lock = Self::default();
        let mut logical = String::new();
        for line in text.lines() {
            let line = if line.starts_with('#') { "" } else { line.split(" #").next().unwrap_or_default().trim_end() };
            if let Some(continued) = line.strip_suffix('\\') {
                logical.push_str(continued);
                continue;
            }
            logical.push_str(line);
            lock.add(&logical);
            logical.clear();
        }
        lock.add(&logical);
        lock
    }

    fn add(&mut self, line: &str) {
        // Hashes are uv's to compare.
        let requirement = line.split(" --hash").next().unwrap_or_default().trim();
        if requirement.is_empty() {
            return;
        }
        match PackageRequirement::parse(requirement) {
            Ok(requirement) => self.requirements.push(requirement),
            Err(unusable) => self.unusable.push(unusable),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_read_without_its_hashes() {
        let text = "# made by uv\n--index-url https://example.org/simple\nh11==0.16.0 \\\n    --hash=sha256:00 \\\n    --hash=sha256:11\n\
                    colorama==0.4.6 ; sys_platform == 'win32' \\\n    --hash=sha256:22\n    # via click\n-e ../peaks\nsix==1 # old\n";
        let lock = Lock::parse(text);
        let read: Vec<String> = lock.requirements.iter().map(|one| format!("{} {}", one.package, one.versions)).collect();
        assert_eq!(read, ["h11 ==0.16.0", "colorama ==0.4.6", "six ==1"]);
        let wrong: Vec<bool> = lock.unusable.iter().map(|one| matches!(one, Unusable::Option(_))).collect();
        assert_eq!(wrong, [true, false]);
    }
}
