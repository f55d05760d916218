package drill

import (
	"errors"
	"strings"
	"syscall"
)

// errnos are the errors that scripts name.
var errnos = map[string]syscall.Errno{
	"EPERM": syscall.EPERM, "ENOENT": syscall.ENOENT, "EINTR": syscall.EINTR, "EIO": syscall.EIO, "EBADF": syscall.EBADF,
	"EAGAIN": syscall.EAGAIN, "EWOULDBLOCK": syscall.EAGAIN, "ENOMEM": syscall.ENOMEM, "EACCES": syscall.EACCES,
	"EFAULT": syscall.EFAULT, "EBUSY": syscall.EBUSY, "EEXIST": syscall.EEXIST, "EINVAL": syscall.EINVAL, "EMFILE": syscall.EMFILE,
	"EPIPE": syscall.EPIPE, "EDOM": syscall.EDOM, "ERANGE": syscall.ERANGE, "ENOSYS": syscall.ENOSYS,
	"ENOTSOCK": syscall.ENOTSOCK, "EDESTADDRREQ": syscall.EDESTADDRREQ, "EMSGSIZE": syscall.EMSGSIZE,
	"EPROTO": syscall.EPROTO, "ENOPROTOOPT": syscall.ENOPROTOOPT, "EPROTONOSUPPORT": syscall.EPROTONOSUPPORT,
	"EOPNOTSUPP": syscall.EOPNOTSUPP, "ENOTSUP": syscall.EOPNOTSUPP, "EAFNOSUPPORT": syscall.EAFNOSUPPORT, "EADDRINUSE": syscall.EADDRINUSE,
	"EADDRNOTAVAIL": syscall.EADDRNOTAVAIL, "ENETDOWN": syscall.ENETDOWN, "ENETUNREACH": syscall.ENETUNREACH,
	"ECONNABORTED": syscall.ECONNABORTED, "ECONNRESET": syscall.ECONNRESET, "ENOBUFS": syscall.ENOBUFS,
	"EISCONN": syscall.EISCONN, "ENOTCONN": syscall.ENOTCONN, "ETIMEDOUT": syscall.ETIMEDOUT,
	"ECONNREFUSED": syscall.ECONNREFUSED, "EHOSTDOWN": syscall.EHOSTDOWN, "EHOSTUNREACH": syscall.EHOSTUNREACH,
	"EALREADY": syscall.EALREADY, "EINPROGRESS": syscall.EINPROGRESS,
	"ENOMSG": syscall.ENOMSG,
}

// errnoName returns the name of an error, its text if it has none here.
func errnoName(e syscall.Errno) string {
	best := ""
	for name, n := range errnos {
		if n == e && (best == "" || name < best) {
			best = name
		}
	}
	if best == "" {
		return e.Error()
	}
	return best
}

// errnoOf returns the errno inside err, EIO when there is none.
func errnoOf(err error) syscall.Errno {
	if err == nil {
		return 0
	}
	if e, ok := errors.AsType[syscall.Errno](err); ok {
		return e
	}
	return syscall.EIO
}

// constants are the numbers that arguments of system calls are named by, as
// Linux has them on amd64.
var constants = map[string]int64{
	"AF_INET": 2, "AF_INET6": 10, "PF_INET": 2, "PF_INET6": 10,
	"SOCK_STREAM": 1, "SOCK_DGRAM": 2, "SOCK_RAW": 3, "SOCK_NONBLOCK": 0x800, "SOCK_CLOEXEC": 0x80000,
	"IPPROTO_IP": 0, "IPPROTO_ICMP": 1, "IPPROTO_TCP": 6, "IPPROTO_UDP": 17, "IPPROTO_IPV6": 41, "IPPROTO_SCTP": 132, "IPPROTO_MPTCP": 262,
	"O_RDONLY": 0, "O_WRONLY": 1, "O_RDWR": 2, "O_NONBLOCK": 0x800, "O_CREAT": 0x40, "O_TRUNC": 0x200,
	"F_DUPFD": 0, "F_GETFD": 1, "F_SETFD": 2, "FD_CLOEXEC": 1, "F_GETFL": 3, "F_SETFL": 4,
	"SHUT_RD": 0, "SHUT_WR": 1, "SHUT_RDWR": 2,
	"SOMAXCONN": 4096,

	"MSG_OOB": 1, "MSG_PEEK": 2, "MSG_DONTROUTE": 4, "MSG_CTRUNC": 8, "MSG_TRUNC": 0x20, "MSG_DONTWAIT": 0x40, "MSG_EOR": 0x80,
	"MSG_WAITALL": 0x100, "MSG_NOSIGNAL": 0x4000, "MSG_ERRQUEUE": 0x2000, "MSG_MORE": 0x8000,
	"MSG_FASTOPEN": 0x20000000, "MSG_ZEROCOPY": 0x4000000,

	"POLLIN": 1, "POLLPRI": 2, "POLLOUT": 4, "POLLERR": 8, "POLLHUP": 0x10, "POLLNVAL": 0x20,
	"POLLRDNORM": 0x40, "POLLRDBAND": 0x80, "POLLWRNORM": 0x100, "POLLWRBAND": 0x200, "POLLRDHUP": 0x2000,
	"EPOLLIN": 1, "EPOLLPRI": 2, "EPOLLOUT": 4, "EPOLLERR": 8, "EPOLLHUP": 0x10, "EPOLLRDNORM": 0x40, "EPOLLWRNORM": 0x100,
	"EPOLLRDHUP": 0x2000, "EPOLLEXCLUSIVE": 1 << 28, "EPOLLONESHOT": 1 << 30, "EPOLLET": 1 << 31,
	"EPOLL_CTL_ADD": 1, "EPOLL_CTL_DEL": 2, "EPOLL_CTL_MOD": 3,

	"SOL_IP": 0, "SOL_SOCKET": 1, "SOL_TCP": 6, "SOL_UDP": 17, "SOL_IPV6": 41,
	"IP_RECVERR": 11, "IPV6_RECVERR": 25, "TCP_CM_INQ": 36, "TCP_INQ": 36, "SO_TIMESTAMPING": 37, "SCM_TIMESTAMPING": 37,
	"SO_EE_ORIGIN_NONE": 0, "SO_EE_ORIGIN_LOCAL": 1, "SO_EE_ORIGIN_ICMP": 2, "SO_EE_ORIGIN_ICMP6": 3,
	"SO_EE_ORIGIN_TXSTATUS": 4, "SO_EE_ORIGIN_TIMESTAMPING": 4, "SO_EE_ORIGIN_ZEROCOPY": 5, "SO_EE_CODE_ZEROCOPY_COPIED": 1,
	"SCM_TSTAMP_SND": 0, "SCM_TSTAMP_SCHED": 1, "SCM_TSTAMP_ACK": 2,
	"SOF_TIMESTAMPING_TX_HARDWARE": 1, "SOF_TIMESTAMPING_TX_SOFTWARE": 1 << 1, "SOF_TIMESTAMPING_RX_HARDWARE": 1 << 2,
	"SOF_TIMESTAMPING_RX_SOFTWARE": 1 << 3, "SOF_TIMESTAMPING_SOFTWARE": 1 << 4, "SOF_TIMESTAMPING_SYS_HARDWARE": 1 << 5,
	"SOF_TIMESTAMPING_RAW_HARDWARE": 1 << 6, "SOF_TIMESTAMPING_OPT_ID": 1 << 7, "SOF_TIMESTAMPING_TX_SCHED": 1 << 8,
	"SOF_TIMESTAMPING_TX_ACK": 1 << 9, "SOF_TIMESTAMPING_OPT_CMSG": 1 << 10, "SOF_TIMESTAMPING_OPT_TSONLY": 1 << 11,
	"SOF_TIMESTAMPING_OPT_STATS": 1 << 12, "SOF_TIMESTAMPING_OPT_PKTINFO": 1 << 13, "SOF_TIMESTAMPING_OPT_TX_SWHW": 1 << 14,
	"SOF_TIMESTAMPING_BIND_PHC": 1 << 15, "SOF_TIMESTAMPING_OPT_ID_TCP": 1 << 16,

	"SPLICE_F_MOVE": 1, "SPLICE_F_NONBLOCK": 2, "SPLICE_F_MORE": 4,

	"IP_PMTUDISC_DONT": 0, "IP_PMTUDISC_WANT": 1, "IP_PMTUDISC_DO": 2, "IP_PMTUDISC_PROBE": 3,
	"IPTOS_LOWDELAY": 0x10, "IPTOS_THROUGHPUT": 8, "IPTOS_RELIABILITY": 4, "IPTOS_MINCOST": 2,
	"IPTOS_DSCP_CS0": 0, "IPTOS_DSCP_CS1": 0x20, "IPTOS_DSCP_CS2": 0x40, "IPTOS_DSCP_CS3": 0x60,
	"IPTOS_DSCP_CS4": 0x80, "IPTOS_DSCP_CS5": 0xa0, "IPTOS_DSCP_CS6": 0xc0, "IPTOS_DSCP_CS7": 0xe0,
	"IPTOS_DSCP_EF": 0xb8,
	"INT_MAX":       1<<31 - 1,
}

// number evaluates an argument that is a number: a literal, a name, or several
// joined by "|".
func (e *Expr) number() (int64, error) {
	switch e.Kind {
	case ExprInt:
		return e.Int, nil
	case ExprWord:
		if n, ok := constants[e.Text]; ok {
			return n, nil
		}
		if n, ok := errnos[e.Text]; ok {
			return int64(n), nil
		}
		return 0, &unsupported{e.Text}
	case ExprOr:
		n := int64(0)
		for _, part := range e.List {
			v, err := part.number()
			if err != nil {
				return 0, err
			}
			n |= v
		}
		return n, nil
	case ExprList:
		if len(e.List) == 1 {
			return e.List[0].number()
		}
	case ExprCall:
		if strings.HasPrefix(e.Text, "htons") && len(e.List) == 1 {
			return e.List[0].number()
		}
	}
	return 0, failf("expected a number, found %v", e)
}
