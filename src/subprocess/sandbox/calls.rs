//! System calls that a plugin cannot make: seccomp filters.
//!
//! What is not named is allowed: an allow-list would break honest plugins with every new C library. Named is what reaches
//! into other processes, changes the machine, or opens more of the kernel than analysing data takes.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Len, SeccompCmpOp as Op, SeccompCondition, SeccompFilter,
    SeccompRule, TargetArch,
};

type Rules = BTreeMap<i64, Vec<SeccompRule>>;

/// Refused whatever the arguments.
const FORBIDDEN: &[c_long] = &[
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_adjtimex,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_adjtime,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_lookup_dcookie,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_process_madvise,
    libc::SYS_process_mrelease,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_ptrace,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Answered as if the kernel had none: libraries then take the older call, which can be looked into (`clone3`), or none.
const UNKNOWN: &[c_long] = &[libc::SYS_clone3, libc::SYS_io_uring_enter, libc::SYS_io_uring_register, libc::SYS_io_uring_setup];

/// Change a process of the same user: refused unless the process id is 0, the caller's own.
const OWN_PROCESS_ONLY: &[(c_long, u8)] = &[
    (libc::SYS_prlimit64, 0),
    (libc::SYS_sched_setaffinity, 0),
    (libc::SYS_sched_setattr, 0),
    (libc::SYS_sched_setparam, 0),
    (libc::SYS_sched_setscheduler, 0),
    (libc::SYS_setpriority, 1),
    (libc::SYS_ioprio_set, 1),
];

/// New namespaces, by the flags of `clone`.
const NAMESPACES: &[libc::c_int] = &[
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWNET,
    libc::CLONE_NEWNS,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWUTS,
];

/// Kinds of sockets are four bits wide.
const KINDS: u64 = 0xf;

/// Numbers from here on are those of another calling convention, which filters by number do not see.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

/// The filters of a process. With `datagrams` it may send them over IP, which looking up names takes.
pub(super) fn filters(datagrams: bool) -> Result<Vec<BpfProgram>, BackendError> {
    let refused = |errno: libc::c_int| SeccompAction::Errno(errno.unsigned_abs());
    Ok(vec![
        compile(forbidden()?, refused(libc::EPERM))?,
        compile(UNKNOWN.iter().map(|call| (*call, Vec::new())).collect(), refused(libc::ENOSYS))?,
        compile(sockets(datagrams)?, refused(libc::EACCES))?,
        #[cfg(target_arch = "x86_64")]
        other_convention(),
    ])
}

fn compile(rules: Rules, refused: SeccompAction) -> Result<BpfProgram, BackendError> {
    let machine = TargetArch::try_from(std::env::consts::ARCH)?;
    SeccompFilter::new(rules, SeccompAction::Allow, refused, machine)?.try_into()
}

fn forbidden() -> Result<Rules, BackendError> {
    let mut rules: Rules = FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
    for (call, argument) in OWN_PROCESS_ONLY {
        rules.insert(*call, vec![rule([is(*argument, Op::Ne, 0)])?]);
    }
    let bits = NAMESPACES.iter().map(|flag| u64::from(flag.unsigned_abs()));
    rules.insert(libc::SYS_clone, bits.map(|bit| rule([is(0, Op::MaskedEq(bit), bit)])).collect::<Result<_, _>>()?);
    // Types characters into a terminal, as if somebody had.
    rules.insert(libc::SYS_ioctl, vec![rule([is(1, Op::Eq, libc::TIOCSTI)])?, rule([is(1, Op::Eq, libc::TIOCLINUX)])?]);
    Ok(rules)
}

/// Unix sockets, and TCP over IP. All other families and protocols only widen what can be attacked.
fn sockets(datagrams: bool) -> Result<Rules, BackendError> {
    let [unix, v4, v6] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6].map(|family| u64::from(family.unsigned_abs()));
    let [tcp, udp] = [libc::IPPROTO_TCP, libc::IPPROTO_UDP].map(|protocol| u64::from(protocol.unsigned_abs()));
    let [stream, datagram] = [libc::SOCK_STREAM, libc::SOCK_DGRAM].map(|kind| u64::from(kind.unsigned_abs()));
    let not_unix = || is(0, Op::Ne, unix);
    let mut socket = vec![rule([not_unix(), is(0, Op::Ne, v4), is(0, Op::Ne, v6)])?];
    for kind in (0..=KINDS).filter(|kind| *kind != stream && !(datagrams && *kind == datagram)) {
        socket.push(rule([not_unix(), is(1, Op::MaskedEq(KINDS), kind)])?);
    }
    // Without this, MPTCP would go where TCP may not.
    let mut other_protocol = vec![not_unix(), is(2, Op::Ne, 0), is(2, Op::Ne, tcp)];
    if datagrams {
        other_protocol.push(is(2, Op::Ne, udp));
    }
    socket.push(rule(other_protocol)?);
    // A connection that is made by sending is not looked at by Landlock.
    let fast_open = u64::from(libc::MSG_FASTOPEN.unsigned_abs());
    let sends = |argument| Ok::<_, BackendError>(vec![rule([is(argument, Op::MaskedEq(fast_open), fast_open)])?]);
    Ok(Rules::from([
        (libc::SYS_socket, socket),
        (libc::SYS_sendto, sends(3)?),
        (libc::SYS_sendmsg, sends(2)?),
        (libc::SYS_sendmmsg, sends(3)?),
    ]))
}

fn is(argument: u8, op: Op, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, Len::Dword, op, value)
}

fn rule(conditions: impl IntoIterator<Item = Result<SeccompCondition, BackendError>>) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into_iter().collect::<Result<_, _>>()?)
}

/// Load the number; from [`X32`] on: "no such call"; else allow.
#[cfg(target_arch = "x86_64")]
fn other_convention() -> BpfProgram {
    let step = |code: u32, jt, jf, k| seccompiler::sock_filter { code: code as u16, jt, jf, k };
    let answer = libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs();
    vec![
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, X32),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, answer),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ]
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    /// Runs in a thread that has the filters.
    fn filtered<T: Send + 'static>(datagrams: bool, look: impl FnOnce() -> T + Send + 'static) -> T {
        let filters = filters(datagrams).unwrap();
        let thread = std::thread::spawn(move || {
            for filter in &filters {
                seccompiler::apply_filter(filter).unwrap();
            }
            look()
        });
        thread.join().unwrap()
    }

    fn error_of(result: i64) -> Option<i32> {
        (result == -1).then(|| io::Error::last_os_error().raw_os_error().unwrap())
    }

    fn call(number: c_long, arguments: [i64; 4]) -> Option<i32> {
        let [a, b, c, d] = arguments;
        // SAFETY: made with null or small numbers only, so nothing of this process is read or written.
        error_of(unsafe { libc::syscall(number, a, b, c, d) })
    }

    fn socket(family: i32, kind: i32, protocol: i32) -> Option<i32> {
        // SAFETY: opens a descriptor and closes it.
        unsafe {
            let descriptor = libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol);
            let error = error_of(descriptor.into());
            libc::close(descriptor);
            error
        }
    }

    #[test]
    fn every_forbidden_call_is_refused() {
        let answers = filtered(false, || {
            let forbidden = FORBIDDEN.iter().map(|number| (*number, call(*number, [0, 0, 0, 0])));
            forbidden.collect::<Vec<_>>()
        });
        for (number, error) in answers {
            assert_eq!(error, Some(libc::EPERM), "call {number}");
        }
    }

    #[test]
    fn others_are_changed_by_nobody_and_oneself_still_is() {
        let (own, parents, cloned, unknown) = filtered(false, || {
            let parent = i64::from(std::os::unix::process::parent_id());
            let answers = OWN_PROCESS_ONLY.iter().map(|(number, argument)| {
                let arguments = if *argument == 0 { [parent, 0, 0, 0] } else { [0, parent, 0, 0] };
                call(*number, arguments)
            });
            let parents: Vec<_> = answers.collect();
            let cloned = call(libc::SYS_clone, [(libc::CLONE_NEWUSER | libc::SIGCHLD).into(), 0, 0, 0]);
            let unknown: Vec<_> = UNKNOWN.iter().map(|number| call(*number, [0, 0, 0, 0])).collect();
            // Threads and processes still start.
            let started = std::thread::spawn(|| 7).join().unwrap();
            ((call(libc::SYS_prlimit64, [0, 0, 0, 0]), started), parents, cloned, unknown)
        });
        assert_eq!((own, cloned), ((None, 7), Some(libc::EPERM)));
        assert!(parents.iter().all(|error| *error == Some(libc::EPERM)), "{parents:?}");
        assert!(unknown.iter().all(|error| *error == Some(libc::ENOSYS)), "{unknown:?}");
    }

    #[test]
    fn sockets_are_unix_and_tcp() {
        use libc::{AF_INET, AF_INET6, AF_NETLINK, AF_PACKET, AF_UNIX, AF_VSOCK, SOCK_DGRAM, SOCK_RAW, SOCK_STREAM};
        let table = [
            (AF_UNIX, SOCK_STREAM, 0, true, true),
            (AF_UNIX, SOCK_DGRAM, 0, true, true),
            (AF_INET, SOCK_STREAM, 0, true, true),
            (AF_INET, SOCK_STREAM, libc::IPPROTO_TCP, true, true),
            (AF_INET, SOCK_STREAM, libc::IPPROTO_MPTCP, false, false),
            (AF_INET, SOCK_DGRAM, 0, false, true),
            (AF_INET6, SOCK_DGRAM, libc::IPPROTO_UDP, false, true),
            (AF_INET, SOCK_RAW, libc::IPPROTO_ICMP, false, false),
            (AF_NETLINK, SOCK_RAW, 0, false, false),
            (AF_PACKET, SOCK_RAW, 0, false, false),
            (AF_VSOCK, SOCK_STREAM, 0, false, false),
        ];
        for datagrams in [false, true] {
            for (family, kind, protocol, without, with) in table {
                let expected = (!if datagrams { with } else { without }).then_some(libc::EACCES);
                let found = filtered(datagrams, move || socket(family, kind, protocol));
                assert_eq!(found, expected, "family {family}, kind {kind}, protocol {protocol}, datagrams {datagrams}");
            }
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn the_other_calling_convention_is_unknown() {
        let ptrace = c_long::from(X32) | libc::SYS_ptrace;
        assert_eq!(filtered(false, move || call(ptrace, [0, 0, 0, 0])), Some(libc::ENOSYS));
    }
}
