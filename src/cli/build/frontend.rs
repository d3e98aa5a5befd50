//! The front-end of a project: a directory of files as browsers are to get them, made by whatever tool the author likes.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::{BuildError, project::Project};

/// Where it stands in a bundle.
pub(super) const ENTRY: &str = "frontend";

/// Every file of the directory, with its entry.
pub(super) fn files(project: &Project, directory: &Path) -> Result<Vec<(String, PathBuf)>, BuildError> {
    let root = project.dir.join(directory);
    if !root.join("index.html").is_file() {
        let message = format!("`frontend` names {}, which has no index.html: build the front-end first", root.display());
        return Err(BuildError::project(project.dir.join("mint.toml"), message));
    }
    let mut files = Vec::new();
    let mut waiting = vec![(ENTRY.to_owned(), root)];
    while let Some((entry, directory)) = waiting.pop() {
        for found in fs::read_dir(&directory).map_err(BuildError::at(&directory))? {
            let found = found.map_err(BuildError::at(&directory))?;
            let (path, name) = (found.path(), found.file_name());
            let name = name.to_str().ok_or_else(|| BuildError::project(&path, "its name is not UTF-8: give it another one"))?;
            let kind = found.file_type().map_err(BuildError::at(&path))?;
            let entry = format!("{entry}/{name}");
            if kind.is_dir() {
                waiting.push((entry, path));
            } else if kind.is_file() {
                files.push((entry, path));
            } else {
                return Err(BuildError::project(&path, "a front-end has plain files only: put a copy in its place"));
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_plain_file_goes_in() {
        let dir = tempfile::tempdir().unwrap();
        let project = || {
            fs::write(dir.path().join("mint.toml"), "[plugin]\nslug = \"x\"\nversion = \"1\"\nfrontend = \"web/dist\"\n")
                .unwrap();
            fs::write(dir.path().join("Cargo.toml"), "").unwrap();
            let project = Project::read(dir.path()).unwrap();
            let directory = project.toml.plugin.frontend.clone().unwrap();
            files(&project, &directory)
        };
        assert!(project().unwrap_err().to_string().contains("no index.html"));
        let web = dir.path().join("web/dist");
        fs::create_dir_all(web.join("assets")).unwrap();
        fs::write(web.join("index.html"), "").unwrap();
        fs::write(web.join("assets/a.js"), "").unwrap();
        let mut entries: Vec<String> = project().unwrap().into_iter().map(|(entry, _)| entry).collect();
        entries.sort();
        assert_eq!(entries, ["frontend/assets/a.js", "frontend/index.html"]);
        std::os::unix::fs::symlink("/etc/passwd", web.join("link")).unwrap();
        assert!(project().unwrap_err().to_string().contains("plain files only"));
    }
}
