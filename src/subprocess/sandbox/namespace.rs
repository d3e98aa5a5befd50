//! A network of the process's own, in which nobody stands but the platform and, where hosts were granted, its proxy.
//!
//! The new process makes the network and listeners in it, at the addresses where the plugin expects these, and hands the
//! listeners to the server. So a plugin that knows nothing but TCP reaches the platform, and no other address at all.

use std::{
    io::{self, IoSlice, IoSliceMut},
    mem::MaybeUninit,
    net::{Ipv4Addr, SocketAddrV4},
    os::fd::{AsFd, AsRawFd, OwnedFd},
};

use rustix::{
    fs::{Mode, OFlags},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
        SendFlags, SocketFlags, SocketType,
    },
    thread::UnshareFlags,
};

/// Connections that may wait to be taken.
const BACKLOG: i32 = 64;

/// What a process needs to make its network.
#[derive(Debug)]
pub(super) struct Namespace {
    /// Lines for the maps of users and groups, where the server has no privilege to make a network.
    maps: Option<[String; 2]>,
    /// Where the platform and its proxy are to be; empty: nowhere.
    places: Vec<SocketAddrV4>,
    handover: OwnedFd,
}

impl Namespace {
    /// A network with the platform, and its proxy, at `ports`, and where their listeners are given out. Without the privilege
    /// to make one it takes a namespace of users as well.
    pub(super) fn new(ports: &[u16], with_users: bool) -> io::Result<(Self, OwnedFd)> {
        let (taken, handover) =
            rustix::net::socketpair(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, None)?;
        let places = ports.iter().map(|port| SocketAddrV4::new(Ipv4Addr::LOCALHOST, *port)).collect();
        let (user, group) = (rustix::process::geteuid(), rustix::process::getegid());
        let maps = with_users.then(|| [format!("{0} {0} 1", user.as_raw()), format!("{0} {0} 1", group.as_raw())]);
        Ok((Self { maps, places, handover }, taken))
    }

    /// Runs in the new process: makes system calls only.
    pub(super) fn enter(&self) -> io::Result<()> {
        let users = if self.maps.is_some() { UnshareFlags::NEWUSER } else { UnshareFlags::empty() };
        // SAFETY: the process has one thread, and no library in it counts on its namespaces.
        unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET | users) }?;
        if let Some([user, group]) = &self.maps {
            for (file, line) in [(c"/proc/self/setgroups", "deny"), (c"/proc/self/uid_map", user), (c"/proc/self/gid_map", group)]
            {
                let file = rustix::fs::open(file, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?;
                rustix::io::write(file, line.as_bytes())?;
            }
        }
        self.places.iter().try_for_each(|place| self.stand_at(place))
    }

    fn stand_at(&self, place: &SocketAddrV4) -> io::Result<()> {
        let listener = rustix::net::socket_with(
            AddressFamily::INET,
            SocketType::STREAM,
            SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
            None,
        )?;
        raise_loopback(listener.as_raw_fd())?;
        rustix::net::bind(&listener, place)?;
        rustix::net::listen(&listener, BACKLOG)?;
        let given = [listener.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut with = SendAncillaryBuffer::new(&mut space);
        with.push(SendAncillaryMessage::ScmRights(&given));
        rustix::net::sendmsg(&self.handover, &[IoSlice::new(b".")], &mut with, SendFlags::NOSIGNAL)?;
        Ok(())
    }
}

/// Takes the listener of a process that was started.
pub(super) fn take_listener(taken: &OwnedFd) -> io::Result<OwnedFd> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut with = RecvAncillaryBuffer::new(&mut space);
    rustix::net::recvmsg(taken, &mut [IoSliceMut::new(&mut [0])], &mut with, RecvFlags::CMSG_CLOEXEC)?;
    let mut descriptors = with.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut rights) => rights.next(),
        _ => None,
    });
    descriptors.next().ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
}

/// A new network has a loopback interface, switched off.
fn raise_loopback(socket: libc::c_int) -> io::Result<()> {
    // SAFETY: all zeroes is a valid `ifreq`.
    let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
    for (place, byte) in request.ifr_name.iter_mut().zip(b"lo") {
        *place = *byte as libc::c_char;
    }
    request.ifr_ifru.ifru_flags = libc::IFF_UP as libc::c_short;
    // SAFETY: the kernel reads `request`, which lives until the call returns.
    let done = unsafe { libc::ioctl(socket, libc::SIOCSIFFLAGS, &raw const request) };
    if done == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
