//! `wasi:filesystem` with a quota: wasmtime's own implementation, asked only when there is room.
//!
//! Links are refused: a second name for a file would make it count for nothing, or twice.

use std::collections::HashMap;
use std::sync::Arc;

use mint_context::logs::PluginLog;
use wasmtime::component::{HasData, Resource};
use wasmtime_wasi::{
    filesystem::{Descriptor, WasiFilesystemCtxView},
    p2::{
        DynInputStream, DynOutputStream, FsError, FsResult,
        bindings::filesystem::{
            preopens,
            types::{
                Advice, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry, DirectoryEntryStream, ErrorCode,
                Filesize, Host, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue, NewTimestamp, OpenFlags, PathFlags,
            },
        },
    },
};

use super::file_stream::{CountedOutput, HeldInput};
use crate::files::{Area, Files, Full, OpenFile};

/// What one store has open.
#[derive(Debug, Default)]
pub(crate) struct Held(HashMap<u32, HeldDescriptor>);

#[derive(Debug)]
struct HeldDescriptor {
    area: Arc<Area>,
    /// None for a directory.
    file: Option<OpenFile>,
}

/// The filesystem of one store.
pub(crate) struct QuotaFilesystem<'a> {
    /// wasmtime's own.
    pub(crate) inner: WasiFilesystemCtxView<'a>,
    /// The directories, where they were granted.
    pub(crate) files: Option<&'a Files>,
    /// What the store has open.
    pub(crate) held: &'a mut Held,
    /// Where it is said which limit was reached: the component is told no more than that there is no room.
    pub(crate) log: &'a Arc<PluginLog>,
}

/// Names the filesystem to the linker.
pub(crate) struct HasFilesystem;

impl HasData for HasFilesystem {
    type Data<'a> = QuotaFilesystem<'a>;
}

impl QuotaFilesystem<'_> {
    fn area(&self, fd: &Resource<Descriptor>) -> FsResult<Arc<Area>> {
        let held = self.held.0.get(&fd.rep()).ok_or(ErrorCode::BadDescriptor)?;
        Ok(Arc::clone(&held.area))
    }

    fn file(&self, fd: &Resource<Descriptor>) -> FsResult<OpenFile> {
        let held = self.held.0.get(&fd.rep()).ok_or(ErrorCode::BadDescriptor)?;
        Ok(held.file.clone().ok_or(ErrorCode::IsDirectory)?)
    }

    fn full(&self, Full(limit): Full) -> FsError {
        self.log.limit_reached(limit);
        ErrorCode::InsufficientSpace.into()
    }

    fn directory(&self, fd: &Resource<Descriptor>) -> FsResult<Arc<std::fs::File>> {
        match self.inner.table.get(fd)? {
            Descriptor::Dir(directory) => Ok(Arc::clone(&directory.dir)),
            Descriptor::File(_) => Err(ErrorCode::NotDirectory.into()),
        }
    }
}

/// A second handle of the same descriptor, for a call of the implementation inside.
fn again<T: 'static>(resource: &Resource<T>) -> Resource<T> {
    Resource::new_borrow(resource.rep())
}

impl preopens::Host for QuotaFilesystem<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        let directories = preopens::Host::get_directories(&mut self.inner)?;
        for (fd, guest_path) in &directories {
            if let Some(area) = self.files.and_then(|files| files.area(guest_path)) {
                self.held.0.insert(fd.rep(), HeldDescriptor { area: Arc::clone(area), file: None });
            }
        }
        Ok(directories)
    }
}

impl Host for QuotaFilesystem<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        self.inner.convert_error_code(error)
    }

    fn filesystem_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<ErrorCode>> {
        self.inner.filesystem_error_code(error)
    }
}

impl HostDescriptor for QuotaFilesystem<'_> {
    async fn open_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        open_flags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let area = self.area(&fd)?;
        let _names = area.names.lock().await;
        let was = self.inner.stat_at(again(&fd), path_flags, path.clone()).await.ok();
        let creates = was.is_none() && open_flags.contains(OpenFlags::CREATE);
        if creates {
            area.add_entry().map_err(|full| self.full(full))?;
        }
        let opened = match self.inner.open_at(fd, path_flags, path, open_flags, flags).await {
            Ok(opened) => opened,
            Err(error) => {
                if creates {
                    area.remove_entry();
                }
                return Err(error);
            }
        };
        let truncated = was.filter(|_| open_flags.contains(OpenFlags::TRUNCATE)).map(|was| was.size);
        let file = match self.inner.table.get(&opened)? {
            Descriptor::File(file) => Some(area.opened(&file.file, truncated)?),
            Descriptor::Dir(_) => None,
        };
        self.held.0.insert(opened.rep(), HeldDescriptor { area: Arc::clone(&area), file });
        Ok(opened)
    }

    async fn write(&mut self, fd: Resource<Descriptor>, buffer: Vec<u8>, offset: Filesize) -> FsResult<Filesize> {
        let file = self.file(&fd)?;
        let _writer = file.writer();
        file.write_at(offset, buffer.len()).map_err(|full| self.full(full))?;
        self.inner.write(fd, buffer, offset).await
    }

    fn write_via_stream(&mut self, fd: Resource<Descriptor>, offset: Filesize) -> FsResult<Resource<DynOutputStream>> {
        let file = self.file(&fd)?;
        let stream = self.inner.write_via_stream(fd, offset)?;
        CountedOutput::wrap(self.inner.table.get_mut(&stream)?, file, Some(offset), Arc::clone(self.log));
        Ok(stream)
    }

    fn append_via_stream(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        let file = self.file(&fd)?;
        let stream = self.inner.append_via_stream(fd)?;
        CountedOutput::wrap(self.inner.table.get_mut(&stream)?, file, None, Arc::clone(self.log));
        Ok(stream)
    }

    fn read_via_stream(&mut self, fd: Resource<Descriptor>, offset: Filesize) -> FsResult<Resource<DynInputStream>> {
        let file = self.file(&fd)?;
        let stream = self.inner.read_via_stream(fd, offset)?;
        HeldInput::wrap(self.inner.table.get_mut(&stream)?, file);
        Ok(stream)
    }

    async fn set_size(&mut self, fd: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        let file = self.file(&fd)?;
        file.extend(size).map_err(|full| self.full(full))?;
        self.inner.set_size(fd, size).await?;
        file.shrunk(size);
        Ok(())
    }

    async fn create_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let area = self.area(&fd)?;
        let _names = area.names.lock().await;
        area.add_entry().map_err(|full| self.full(full))?;
        let made = self.inner.create_directory_at(fd, path).await;
        if made.is_err() {
            area.remove_entry();
        }
        made
    }

    async fn remove_directory_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let area = self.area(&fd)?;
        let _names = area.names.lock().await;
        self.inner.remove_directory_at(fd, path).await?;
        area.remove_entry();
        Ok(())
    }

    async fn unlink_file_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<()> {
        let area = self.area(&fd)?;
        let _names = area.names.lock().await;
        let was = Area::named(self.directory(&fd)?, &path);
        self.inner.unlink_file_at(fd, path).await?;
        if let Some(was) = was {
            area.unlinked(was);
        }
        Ok(())
    }

    async fn rename_at(
        &mut self,
        fd: Resource<Descriptor>,
        old_path: String,
        new_fd: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let (area, new_area) = (self.area(&fd)?, self.area(&new_fd)?);
        if !Arc::ptr_eq(&area, &new_area) {
            return Err(ErrorCode::CrossDevice.into());
        }
        let _names = area.names.lock().await;
        let old = Area::named(self.directory(&fd)?, &old_path);
        let replaced = Area::named(self.directory(&new_fd)?, &new_path).filter(|replaced| Some(*replaced) != old);
        self.inner.rename_at(fd, old_path, new_fd, new_path).await?;
        if let Some(replaced) = replaced {
            area.unlinked(replaced);
        }
        Ok(())
    }

    async fn link_at(
        &mut self,
        _fd: Resource<Descriptor>,
        _path_flags: PathFlags,
        _old_path: String,
        _new_fd: Resource<Descriptor>,
        _new_path: String,
    ) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    async fn symlink_at(&mut self, _fd: Resource<Descriptor>, _old_path: String, _new_path: String) -> FsResult<()> {
        Err(ErrorCode::NotPermitted.into())
    }

    fn drop(&mut self, fd: Resource<Descriptor>) -> wasmtime::Result<()> {
        let rep = fd.rep();
        HostDescriptor::drop(&mut self.inner, fd)?;
        self.held.0.remove(&rep);
        Ok(())
    }

    async fn advise(&mut self, fd: Resource<Descriptor>, offset: Filesize, length: Filesize, advice: Advice) -> FsResult<()> {
        self.inner.advise(fd, offset, length, advice).await
    }

    async fn sync_data(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.inner.sync_data(fd).await
    }

    async fn sync(&mut self, fd: Resource<Descriptor>) -> FsResult<()> {
        self.inner.sync(fd).await
    }

    async fn get_flags(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        self.inner.get_flags(fd).await
    }

    async fn get_type(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorType> {
        self.inner.get_type(fd).await
    }

    async fn set_times(&mut self, fd: Resource<Descriptor>, accessed: NewTimestamp, modified: NewTimestamp) -> FsResult<()> {
        self.inner.set_times(fd, accessed, modified).await
    }

    async fn set_times_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        accessed: NewTimestamp,
        modified: NewTimestamp,
    ) -> FsResult<()> {
        self.inner.set_times_at(fd, path_flags, path, accessed, modified).await
    }

    async fn read(&mut self, fd: Resource<Descriptor>, length: Filesize, offset: Filesize) -> FsResult<(Vec<u8>, bool)> {
        self.inner.read(fd, length, offset).await
    }

    async fn read_directory(&mut self, fd: Resource<Descriptor>) -> FsResult<Resource<DirectoryEntryStream>> {
        self.inner.read_directory(fd).await
    }

    async fn stat(&mut self, fd: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        self.inner.stat(fd).await
    }

    async fn stat_at(&mut self, fd: Resource<Descriptor>, path_flags: PathFlags, path: String) -> FsResult<DescriptorStat> {
        self.inner.stat_at(fd, path_flags, path).await
    }

    async fn readlink_at(&mut self, fd: Resource<Descriptor>, path: String) -> FsResult<String> {
        self.inner.readlink_at(fd, path).await
    }

    async fn is_same_object(&mut self, one: Resource<Descriptor>, other: Resource<Descriptor>) -> wasmtime::Result<bool> {
        self.inner.is_same_object(one, other).await
    }

    async fn metadata_hash(&mut self, fd: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        self.inner.metadata_hash(fd).await
    }

    async fn metadata_hash_at(
        &mut self,
        fd: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        self.inner.metadata_hash_at(fd, path_flags, path).await
    }
}

impl HostDirectoryEntryStream for QuotaFilesystem<'_> {
    async fn read_directory_entry(&mut self, stream: Resource<DirectoryEntryStream>) -> FsResult<Option<DirectoryEntry>> {
        self.inner.read_directory_entry(stream).await
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        HostDirectoryEntryStream::drop(&mut self.inner, stream)
    }
}
