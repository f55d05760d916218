/* A host with lwIP, as Debian builds it, for the workloads of this module.
 *
 * Usage: host WORKLOAD COUNT CLOSER MILLISECONDS
 *
 *   bulk rr crr idle   both ends in this process, joined by lwIP's own loop
 *   send receive ask dial
 *                      on the TUN device that is file descriptor 3, against the
 *                      kernel at 10.1.0.1
 *
 * COUNT is how many connections, or how many at once; CLOSER, client or server,
 * who closes first. The result is a line of JSON with what the Go workloads report.
 *
 * Threads use lwIP's netconn, which copies as sockets do; its sockets proper are
 * limited to four in Debian's build.
 */
#include <malloc.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <lwip/api.h>
#include <lwip/init.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/tcpip.h>

enum {
	MTU = 1500,
	WRITE = 64 << 10, /* bytes in one write */
	READ = UINT16_MAX, /* bytes in one read, at most: lwIP has no more */
	MAX_TRIPS = 1 << 20,
	DEVICE = 3,

	/* The kernel's services, and the port of ours. */
	PORT_SINK = 1,
	PORT_SOURCE = 2,
	PORT_ECHO = 3,
	PORT_ANSWER = 4,
	PORT = 7,
};

static const long warm_up = 200; /* milliseconds */

static struct netif netif;
static ip_addr_t own, kernel_side;

static int count, client_closes;
static long duration; /* milliseconds */
static atomic_int over;
static atomic_ulong moved; /* bytes received or written, or operations */

static void fail(const char *format, ...) {
	va_list args;
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

static void check(err_t err, const char *what) {
	if (err != ERR_OK)
		fail("lwip: %s: error %d", what, err);
}

static int64_t nanoseconds(clockid_t clock) {
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void sleep_ms(long ms) {
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, NULL);
}

/* What the process had used up at a moment. */
struct usage {
	int64_t at, cpu; /* nanoseconds */
};

static struct usage now(void) {
	return (struct usage){nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_PROCESS_CPUTIME_ID)};
}

static struct usage since(struct usage u) {
	struct usage n = now();
	return (struct usage){n.at - u.at, n.cpu - u.cpu};
}

static void print_flow(struct usage u, double bytes) {
	printf("{\"rate\":%g,\"cpu\":%g}\n", bytes * 8 / u.at, u.cpu / bytes);
}

static void print_operations(struct usage u, double n) {
	printf("{\"rate\":%g,\"cpu\":%g}\n", n / u.at * 1e9, u.cpu / n / 1e3);
}

/* The device. */

static err_t device_write(struct netif *n, struct pbuf *p, const ip4_addr_t *to) {
	(void)n, (void)to;
	char packet[MTU];
	const void *data = p->payload;
	if (p->next != NULL)
		data = packet, pbuf_copy_partial(p, packet, p->tot_len, 0);
	return write(DEVICE, data, p->tot_len) == p->tot_len ? ERR_OK : ERR_BUF;
}

static void *device_read(void *unused) {
	(void)unused;
	char packet[MTU];
	for (;;) {
		ssize_t n = read(DEVICE, packet, sizeof packet);
		if (n < 0)
			break;
		/* In Debian's build a PBUF_POOL is too small for a packet of 1500 bytes. */
		struct pbuf *p = pbuf_alloc(PBUF_RAW, n, PBUF_RAM);
		if (p == NULL)
			continue;
		pbuf_take(p, packet, n);
		if (netif.input(p, &netif) != ERR_OK)
			pbuf_free(p);
	}
	fail("lwip: the device cannot be read");
	return NULL;
}

static err_t device_init(struct netif *n) {
	n->name[0] = 't', n->name[1] = 'n';
	n->mtu = MTU;
	n->output = device_write;
	return ERR_OK;
}

static void started(void *semaphore) { sys_sem_signal(semaphore); }

static void start(void) {
	sys_sem_t done;
	sys_sem_new(&done, 0);
	tcpip_init(started, &done);
	sys_sem_wait(&done);
	ip4_addr_t address, mask;
	IP4_ADDR(&address, 10, 1, 0, 2);
	IP4_ADDR(&mask, 255, 255, 255, 0);
	IP_ADDR4(&own, 10, 1, 0, 2);
	IP_ADDR4(&kernel_side, 10, 1, 0, 1);
	LOCK_TCPIP_CORE();
	netif_add(&netif, &address, &mask, ip_2_ip4(&kernel_side), NULL, device_init, tcpip_input);
	netif_set_default(&netif);
	netif_set_up(&netif);
	netif_set_link_up(&netif);
	UNLOCK_TCPIP_CORE();
}

static pthread_t run(void *(*f)(void *), void *arg) {
	pthread_t t;
	if (pthread_create(&t, NULL, f, arg) != 0)
		fail("lwip: no thread");
	return t;
}

/* Connections. */

static struct netconn *dial(const ip_addr_t *to, int port) {
	struct netconn *c = netconn_new(NETCONN_TCP);
	if (c == NULL)
		fail("lwip: no connection");
	check(netconn_connect(c, to, port), "connect");
	return c;
}

static struct netconn *listen_here(void) {
	struct netconn *l = netconn_new(NETCONN_TCP);
	check(netconn_bind(l, IP_ADDR_ANY, PORT), "bind");
	check(netconn_listen(l), "listen");
	return l;
}

/* receive copies what is there into buf, of size bytes, and returns how much it
 * was; 0 is the end. One that was given more than it asked for drops the rest:
 * only bytes of a stream that nobody looks at are. */
static size_t receive(struct netconn *c, char *buf, size_t size) {
	struct pbuf *p;
	if (netconn_recv_tcp_pbuf(c, &p) != ERR_OK)
		return 0;
	size_t n = pbuf_copy_partial(p, buf, size, 0);
	pbuf_free(p);
	return n;
}

static int trip(struct netconn *c) {
	char b = 0;
	return netconn_write(c, &b, 1, NETCONN_COPY) == ERR_OK && receive(c, &b, 1) == 1;
}

static void *echo(void *conn) {
	char b;
	while (receive(conn, &b, 1) == 1)
		netconn_write(conn, &b, 1, NETCONN_COPY);
	return NULL;
}

static void *source(void *conn) {
	char *buf = calloc(1, WRITE);
	while (netconn_write(conn, buf, WRITE, NETCONN_COPY) == ERR_OK)
		;
	return NULL;
}

static void *sink(void *conn) {
	char *buf = malloc(READ);
	for (size_t n; (n = receive(conn, buf, READ)) > 0;)
		moved += n;
	return NULL;
}

/* answer_one answers a connection's byte, and closes it, or waits for the peer to
 * do so first. */
static void *answer_one(void *conn) {
	char b;
	if (receive(conn, &b, 1) == 1) {
		netconn_write(conn, &b, 1, NETCONN_COPY);
		if (client_closes)
			receive(conn, &b, 1);
	}
	netconn_delete(conn);
	return NULL;
}

static void *answer(void *listener) {
	for (struct netconn *c; netconn_accept(listener, &c) == ERR_OK;)
		pthread_detach(run(answer_one, c));
	return NULL;
}

static void pair(struct netconn *listener, struct netconn **client, struct netconn **server) {
	*client = dial(&own, PORT);
	check(netconn_accept(listener, server), "accept");
}

/* Workloads. */

static void flow(void) {
	sleep_ms(warm_up);
	unsigned long before = moved;
	struct usage u = now();
	sleep_ms(duration);
	print_flow(since(u), moved - before);
}

static void bulk(void) {
	struct netconn *l = listen_here(), *client, *server;
	for (int i = 0; i < count; i++) {
		pair(l, &client, &server);
		run(sink, server);
		run(source, client);
	}
	flow();
}

static void send_to_kernel(void) {
	struct netconn *c = dial(&kernel_side, PORT_SINK);
	char *buf = calloc(1, WRITE);
	struct usage u = now();
	for (int warm = 1;;) {
		check(netconn_write(c, buf, WRITE, NETCONN_COPY), "write");
		moved += WRITE;
		int64_t ms = (now().at - u.at) / 1000000;
		if (warm && ms >= warm_up) {
			warm = moved = 0;
			u = now();
		} else if (!warm && ms >= duration) {
			break;
		}
	}
	print_flow(since(u), moved);
}

static void receive_from_kernel(void) {
	run(sink, dial(&kernel_side, PORT_SOURCE));
	flow();
}

/* One connection of ask. */
struct asker {
	struct netconn *conn;
	int64_t end;
	int32_t *times; /* nanoseconds */
	int trips;
};

static void *ask_one(void *p) {
	struct asker *a = p;
	for (int64_t last = nanoseconds(CLOCK_MONOTONIC), t; last < a->end; last = t) {
		if (!trip(a->conn))
			fail("lwip: a round trip failed");
		t = nanoseconds(CLOCK_MONOTONIC);
		if (a->trips < MAX_TRIPS / count)
			a->times[a->trips] = t - last;
		a->trips++;
	}
	return NULL;
}

static int compare(const void *a, const void *b) {
	int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
	return (x > y) - (x < y);
}

static void ask(struct netconn **conns) {
	struct asker askers[count];
	pthread_t threads[count];
	int32_t *times = calloc(MAX_TRIPS, sizeof *times);
	for (int i = 0; i < count; i++)
		if (!trip(conns[i]))
			fail("lwip: the first round trip failed");
	struct usage u = now();
	for (int i = 0; i < count; i++) {
		askers[i] = (struct asker){conns[i], u.at + duration * 1000000,
		                           times + (size_t)i * (MAX_TRIPS / count), 0};
		threads[i] = run(ask_one, &askers[i]);
	}
	size_t total = 0, timed = 0;
	for (int i = 0; i < count; i++) {
		pthread_join(threads[i], NULL);
		total += askers[i].trips;
		size_t n = LWIP_MIN(askers[i].trips, MAX_TRIPS / count);
		memmove(times + timed, askers[i].times, n * sizeof *times);
		timed += n;
	}
	u = since(u);
	qsort(times, timed, sizeof *times, compare);
	printf("{\"rate\":%g,\"cpu\":%g,\"p50\":%g,\"p99\":%g}\n", total * 1e9 / u.at, (double)u.cpu / total / 1e3,
	       times[timed / 2] / 1e3, times[timed * 99 / 100] / 1e3);
}

static void rr(void) {
	struct netconn *l = listen_here(), *clients[count], *server;
	for (int i = 0; i < count; i++) {
		pair(l, &clients[i], &server);
		run(echo, server);
	}
	ask(clients);
}

static const ip_addr_t *churn_to;
static int churn_port;

static void *churn(void *unused) {
	(void)unused;
	char b;
	while (!over) {
		struct netconn *c = dial(churn_to, churn_port);
		if (!trip(c))
			fail("lwip: no answer");
		if (!client_closes)
			receive(c, &b, 1); /* the end */
		netconn_delete(c);
		moved++;
	}
	return NULL;
}

static void crr(const ip_addr_t *to, int port) {
	pthread_t threads[count];
	churn_to = to, churn_port = port;
	struct usage u = now();
	for (int i = 0; i < count; i++)
		threads[i] = run(churn, NULL);
	sleep_ms(duration);
	over = 1;
	for (int i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	print_operations(since(u), moved);
}

static size_t resident(void) {
	long pages = 0;
	FILE *f = fopen("/proc/self/statm", "r");
	if (f == NULL || fscanf(f, "%*d %ld", &pages) != 1)
		fail("lwip: /proc/self/statm cannot be read");
	fclose(f);
	return pages * sysconf(_SC_PAGESIZE);
}

/* idle is memory, for a pair of ends that were used for one byte both ways. */
static void idle(void) {
	struct netconn *l = listen_here(), *client, *server;
	char b = 0;
	size_t heap = mallinfo2().uordblks, rss = resident();
	struct usage u = now();
	for (int i = 0; i < count; i++) {
		pair(l, &client, &server);
		check(netconn_write(client, &b, 1, NETCONN_COPY), "write");
		if (receive(server, &b, 1) != 1)
			fail("lwip: no byte");
		check(netconn_write(server, &b, 1, NETCONN_COPY), "write");
		if (receive(client, &b, 1) != 1)
			fail("lwip: no byte back");
	}
	u = since(u);
	sleep_ms(1000); /* ACKs that are delayed */
	printf("{\"heap\":%g,\"rss\":%g,\"rate\":%g}\n", (double)(mallinfo2().uordblks - heap) / count,
	       (double)(resident() - rss) / count, count * 1e9 / u.at);
}

int main(int argc, char **argv) {
	if (argc != 5)
		fail("usage: host WORKLOAD COUNT client|server MILLISECONDS");
	const char *workload = argv[1];
	count = atoi(argv[2]);
	client_closes = strcmp(argv[3], "client") == 0;
	duration = atol(argv[4]);
	start();
	if (strcmp(workload, "bulk") == 0) {
		bulk();
	} else if (strcmp(workload, "rr") == 0) {
		rr();
	} else if (strcmp(workload, "crr") == 0) {
		run(answer, listen_here());
		crr(&own, PORT);
	} else if (strcmp(workload, "idle") == 0) {
		idle();
	} else {
		run(device_read, NULL);
		if (strcmp(workload, "send") == 0) {
			send_to_kernel();
		} else if (strcmp(workload, "receive") == 0) {
			receive_from_kernel();
		} else if (strcmp(workload, "ask") == 0) {
			struct netconn *c = dial(&kernel_side, PORT_ECHO);
			ask(&c);
		} else if (strcmp(workload, "dial") == 0) {
			crr(&kernel_side, PORT_ANSWER);
		} else {
			fail("lwip: no workload %s", workload);
		}
	}
	fflush(stdout);
	_exit(0); /* without waiting for lwIP's threads */
}
