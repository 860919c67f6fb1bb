/*
 * mqttload - a neutral MQTT load generator and delivery verifier.
 *
 * One source file, Linux only (epoll), libc and pthread only.
 * MQTT 3.1.1 and 5.0 over TCP or WebSocket, QoS 0/1/2 in both directions.
 * See README.md for the scenarios and for what every reported figure means.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#ifndef IP_BIND_ADDRESS_NO_PORT
#define IP_BIND_ADDRESS_NO_PORT 24
#endif

#define VERSION "1.1"
#define likely(x) __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int64_t i64;

#define RBUF (256u * 1024)   /* read buffer shared by all connections of a thread */
#define ACKROOM (512u * 1024) /* room for acknowledgements made from one read */
#define BATCH (64u * 1024)   /* bytes generated per publisher turn */
#define PUMP_BUDGET (256u * 1024) /* bytes generated per loop turn, all publishers */
#define SUBID 65535          /* packet id of every SUBSCRIBE */
#define NS 1000000000ull

/* ------------------------------------------------------------------ types */

enum { ST_IDLE, ST_TCP, ST_WS, ST_CONNACK, ST_SUBACK, ST_UP, ST_CLOSING, ST_DEAD };
enum { R_PUB = 1, R_SUB = 2, R_CONN = 4, R_CHURN = 8 };
enum { SH_FANIN, SH_FANOUT, SH_PAIR, SH_OWN };
enum { SC_FANIN, SC_FANOUT, SC_PAIR, SC_LATENCY, SC_CONN, SC_RETAIN, SC_OFFLINE, SC_CHURN, SC_RELAY };
enum { FL_HASH, FL_PLUS, FL_EXACT };
enum { PH_RUN, PH_DRAIN, PH_END };

typedef struct { /* publisher side of a connection */
	u64 limit, sent, due;
	u32 window, inflight;
	u32 t;          /* next topic, 0..topics-1 */
	u64 seq;        /* sequence number of the current round over the topics */
	u16 *ring;      /* free packet ids, FIFO */
	u32 rh, rt;
	u8 *idst;       /* per packet id: 0 free, 1 waits PUBACK, 2 waits PUBREC, 3 waits PUBCOMP */
	u8 *pfx;        /* fixed header + topic (+ id) (+ properties) */
	u8 *brief;      /* the same with an empty topic and a topic alias (--alias) */
	u8 done, dead, fenced;
} pub_t;

typedef struct { /* subscriber side of a connection */
	u64 *q2;        /* open QoS 2 ids */
	u32 q2open;
	u32 f_first, f_cnt, f_done;
	u8 filter, granted, nosub, session_present;
} sub_t;

struct worker;
typedef struct conn {
	int fd;
	u8 st, role, wr, inq, rdpend, opening, got;
	u16 pings;      /* PINGREQ without PINGRESP */
	u32 idx, cid;
	u32 gen;        /* churn: number of the session on this slot */
	struct worker *w;
	pub_t *pub;
	sub_t *sub;
	struct conn *qnext;
	u8 *out;
	u32 out_off, out_len, out_cap;
	u8 *part;
	u32 part_len, part_cap, part_need;
	u64 last_tx, t_start;
	u64 ws_left;    /* payload bytes still to come of the WebSocket frame being read */
	u8 ws_hd[10], ws_hn; /* frame header so far */
	u8 ws_ctl, ws_cn, ws_cb[125]; /* opcode (0: data) and payload of a control frame */
} conn;

typedef struct { u32 next, an; } rxs; /* per (subscriber, stream): next expected seq, anomaly index + 1 */
typedef struct { u64 *bits; u32 base, nbits; } anom;

typedef struct {
	u64 sent, acked, rx, rxbytes, dup_ok, dup_bad, reorder, bad, foreign, nack, bad_ack;
	u64 redeliv, q2viol, qosdiff, noretain, unacked;
	u64 pings, pongs, disc;
	u64 first_rx, last_rx, last_ev, last_pub;
	i64 q2open;
	u32 pubs_done;
} cnt;

#define HB 7
#define HN ((64 - HB + 1) << HB)
typedef struct { u64 n, max, min; double sum; u32 b[HN]; } hist;

typedef struct { u64 t; double cpu, usr, sys, gen, busy, steal; long rss, hwm; int gone; } snap;

typedef struct worker {
	int id, ep;
	u64 now;
	u8 *rb, *tx;
	u8 *wsb;        /* WebSocket frames of one write */
	u32 wscap, mask;
	u32 txn, npkt, nrd;
	bool active, calm;
	conn **pubs; u32 npubs;
	conn **subs; u32 nsubs;
	conn **all; u32 nall;
	conn *rqh, *rqt;
	conn **pend; u32 npend, pendcap;
	conn **opl; u32 opn, opnext, opinfl, opup, opfail; /* opener */
	u64 op_last;
	u32 nclosing;
	u64 rl_next, next_due;
	u64 room;       /* --max-lag: messages that may be sent now */
	bool stop_seen;
	u64 last_tick;
	u32 qmin;       /* lowest granted QoS seen */
	anom *an; u32 nan, ancap;
	hist *h1, *h2;  /* latency from send / from schedule; or handshake / session time */
	cnt k;
	pthread_t th;
} worker;

/* ---------------------------------------------------------------- options */

static struct {
	int scen, shape;
	const char *name, *host, *port, *label, *user, *pass;
	int ver, q, Q;
	u32 P, S, size, window, ka, topics, levels, W, nsrc, threads, burst, rxmax;
	u64 count;
	double dur, warm, rate, hold, interval, drain_max, max_s;
	u64 lag;
	int clean, filter, own, retain, spin, keep, connsub, verbose, abrupt, maxrss;
	int coalesce, idle_ms, settle_ms, connect_ms, sndbuf, rcvbuf, batch;
	char prefix[200];
	int fault_drop, fault_dup, fault_swap, fault_redeliver;
	int ws, alias;
	const char *wspath;
	u32 uprops, back;
	int pids[256], npids, tree;
	bool lat;
} o;

typedef struct { u32 pfx_len, off_dig, off_id, off_alias, pkt_len, pkt_rl; } layout; /* of a PUBLISH */

static struct {
	u32 run;
	struct sockaddr_storage addr;
	socklen_t alen;
	bool loop4;
	int plen, tlen;       /* prefix and topic length */
	u8 dpos[8];
	u32 streams, tmod;
	u64 fan;
	layout full, brief;   /* brief: an alias in place of the topic */
	u8 *up;               /* encoded user properties */
	u32 upn;
	u8 hdr0;
	u8 *payload;
	rxs *rx;
	volatile int stop, phase, intr, active, fatal;
	bool clear;
	u64 t0, t_warm, t_end, t_stop, t_drain;
	bool meas, stalled, truncated;
	snap s0, s1;
	cnt c0, kend;
	bool have_end;
	u64 end_ev, last_all;
	u64 lag_lost; u32 lag_resets;
	u32 ndisc, nlog, nfail;
	char why[400];
	pthread_mutex_t mu;
	pthread_barrier_t bar;
	worker *w;
	u64 next_iv; cnt iv;
	u64 t_iv;
	u64 churn_started, churn_done, churn_fail, churn_noclose, churn_lost, churn_limit;
	u64 sess_present;
} g;

/* ---------------------------------------------------------------- helpers */

static inline u64 now_ns(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * NS + (u64)ts.tv_nsec;
}

static void *xmalloc(size_t n)
{
	void *p = malloc(n ? n : 1);
	if (!p) { fprintf(stderr, "mqttload: out of memory (%zu bytes)\n", n); exit(2); }
	return p;
}
static void *xcalloc(size_t n, size_t s)
{
	void *p = calloc(n ? n : 1, s);
	if (!p) { fprintf(stderr, "mqttload: out of memory (%zu x %zu bytes)\n", n, s); exit(2); }
	return p;
}
static void *xrealloc(void *q, size_t n)
{
	void *p = realloc(q, n ? n : 1);
	if (!p) { fprintf(stderr, "mqttload: out of memory (%zu bytes)\n", n); exit(2); }
	return p;
}

static void usage_err(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("mqttload: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\n", stderr);
	va_end(ap);
	exit(2);
}

/* Log a problem: the first 20 in full, the rest only counted. The first is kept for the report. */
static void problem(const char *fmt, ...)
{
	char b[400];
	va_list ap;
	va_start(ap, fmt);
	vsnprintf(b, sizeof b, fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&g.mu);
	if (!g.why[0]) snprintf(g.why, sizeof g.why, "%s", b);
	if (g.nlog++ < 20) fprintf(stderr, "mqttload: %s\n", b);
	else if (g.nlog == 21) fprintf(stderr, "mqttload: (more of these are not shown)\n");
	pthread_mutex_unlock(&g.mu);
}
static void note(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	fputs("mqttload: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputs("\n", stderr);
	va_end(ap);
}

static inline u32 be16(const u8 *p) { return (u32)p[0] << 8 | p[1]; }
static inline void put16(u8 *p, u32 v) { p[0] = (u8)(v >> 8); p[1] = (u8)v; }
static u8 *put_str(u8 *p, const char *s)
{
	size_t n = strlen(s);
	put16(p, (u32)n);
	memcpy(p + 2, s, n);
	return p + 2 + n;
}
static int varlen(u32 v) { return v < 128 ? 1 : v < 16384 ? 2 : v < 2097152 ? 3 : 4; }
static u8 *put_var(u8 *p, u32 v)
{
	do { u8 b = v & 127; v >>= 7; *p++ = b | (v ? 128 : 0); } while (v);
	return p;
}
/* Reads a variable byte integer; returns bytes used, 0 if incomplete, -1 if malformed. */
static int get_var(const u8 *p, u32 n, u32 *v)
{
	u32 r = 0;
	for (u32 i = 0; i < 4; i++) {
		if (i >= n) return 0;
		r |= (u32)(p[i] & 127) << (7 * i);
		if (!(p[i] & 128)) { *v = r; return (int)i + 1; }
	}
	return -1;
}

/* -------------------------------------------------------------- histogram */

static inline u32 h_idx(u64 v)
{
	if (v < (1u << HB)) return (u32)v;
	int e = 63 - __builtin_clzll(v), s = e - HB;
	return (u32)((u64)(s + 1) << HB) + (u32)((v >> s) - (1u << HB));
}
static inline void h_add(hist *h, u64 v)
{
	h->b[h_idx(v)]++;
	if (v > h->max) h->max = v;
	if (!h->n || v < h->min) h->min = v;
	h->n++;
	h->sum += (double)v;
}
static void h_merge(hist *d, const hist *s)
{
	if (!s->n) return;
	for (u32 i = 0; i < HN; i++) d->b[i] += s->b[i];
	if (s->max > d->max) d->max = s->max;
	if (!d->n || s->min < d->min) d->min = s->min;
	d->n += s->n;
	d->sum += s->sum;
}
static double h_pct(const hist *h, double p)
{
	if (!h->n) return 0;
	u64 want = (u64)(p * (double)h->n), c = 0;
	if ((double)want < p * (double)h->n) want++;
	if (!want) want = 1;
	for (u32 i = 0; i < HN; i++) {
		c += h->b[i];
		if (c < want) continue;
		double v;
		if (i < (1u << HB)) v = i;
		else {
			u32 s = (i >> HB) - 1;
			v = ((double)((i & ((1u << HB) - 1)) + (1u << HB)) + 0.5) * (double)(1ull << s);
		}
		return v > (double)h->max ? (double)h->max : v;
	}
	return (double)h->max;
}

/* ------------------------------------------- broker and machine accounting */

static int proc_stat(int pid, unsigned long *ut, unsigned long *st, int *ppid)
{
	char fn[64], b[1024];
	snprintf(fn, sizeof fn, "/proc/%d/stat", pid);
	FILE *f = fopen(fn, "r");
	if (!f) return -1;
	size_t n = fread(b, 1, sizeof b - 1, f);
	fclose(f);
	b[n] = 0;
	char *p = strrchr(b, ')'); /* the command name may hold anything */
	int pp;
	if (!p || sscanf(p + 2, "%*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &pp, ut, st) != 3) return -1;
	if (ppid) *ppid = pp;
	return 0;
}
static void proc_rss(int pid, long *rss, long *hwm)
{
	char fn[64], l[256];
	snprintf(fn, sizeof fn, "/proc/%d/status", pid);
	FILE *f = fopen(fn, "r");
	if (!f) return;
	long v;
	while (fgets(l, sizeof l, f)) {
		if (sscanf(l, "VmRSS: %ld", &v) == 1) *rss += v;
		else if (sscanf(l, "VmHWM: %ld", &v) == 1) *hwm += v;
	}
	fclose(f);
}
/* CPU time of a whole process (all threads, ended ones too) in ns: the kernel's process clock. */
static double proc_cpu(int pid)
{
	clockid_t c;
	struct timespec ts;
	if (!clock_getcpuclockid(pid, &c) && !clock_gettime(c, &ts))
		return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	unsigned long u, s;
	if (proc_stat(pid, &u, &s, NULL)) return -1;
	return (double)(u + s) / (double)sysconf(_SC_CLK_TCK);
}
static void snap_take(snap *s)
{
	memset(s, 0, sizeof *s);
	double hz = (double)sysconf(_SC_CLK_TCK);
	struct timespec ts;
	for (int i = 0; i < o.npids; i++) {
		double c = proc_cpu(o.pids[i]);
		if (c < 0) s->gone++;
		else s->cpu += c;
	}
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	s->gen = (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
	s->t = now_ns();
	for (int i = 0; i < o.npids; i++) {
		unsigned long u = 0, y = 0;
		if (!proc_stat(o.pids[i], &u, &y, NULL)) { s->usr += (double)u / hz; s->sys += (double)y / hz; }
		proc_rss(o.pids[i], &s->rss, &s->hwm);
	}
	FILE *f = fopen("/proc/stat", "r");
	if (f) {
		unsigned long long us, ni, sy, id, io, ir, so, st;
		if (fscanf(f, "cpu %llu %llu %llu %llu %llu %llu %llu %llu", &us, &ni, &sy, &id, &io, &ir, &so, &st) == 8) {
			s->busy = (double)(us + ni + sy + ir + so) / hz;
			s->steal = (double)st / hz;
		}
		fclose(f);
	}
}
/* Add the living descendants of the pids given (for --tree). */
static void add_tree(void)
{
	for (bool more = true; more;) {
		more = false;
		DIR *d = opendir("/proc");
		if (!d) return;
		struct dirent *e;
		while ((e = readdir(d))) {
			int pid = atoi(e->d_name), pp;
			unsigned long u, s;
			if (pid <= 0 || proc_stat(pid, &u, &s, &pp)) continue;
			bool have = false, child = false;
			for (int i = 0; i < o.npids; i++) {
				if (o.pids[i] == pid) have = true;
				if (o.pids[i] == pp) child = true;
			}
			if (child && !have && o.npids < 256) { o.pids[o.npids++] = pid; more = true; }
		}
		closedir(d);
	}
}
static void reset_peak(void)
{
	for (int i = 0; i < o.npids; i++) {
		char fn[64];
		snprintf(fn, sizeof fn, "/proc/%d/clear_refs", o.pids[i]);
		FILE *f = fopen(fn, "w");
		if (!f || fputs("5", f) < 0 || fclose(f)) note("cannot reset the peak RSS of pid %d", o.pids[i]);
	}
}

/* ----------------------------------------------------------------- topics */

static void topics_init(void)
{
	u32 gs = 8 / o.levels;
	g.plen = (int)strlen(o.prefix);
	for (u32 i = 0; i < 8; i++) g.dpos[i] = (u8)(i + i / gs);
	g.tlen = g.plen + 1 + 8 + (int)o.levels - 1;
}
/* Writes the 8 digits of a topic id at d, the first byte after "prefix/". */
static inline void put_digits(u8 *d, u32 id)
{
	for (int i = 7; i >= 0; i--) { d[g.dpos[i]] = (u8)('0' + id % 10); id /= 10; }
}
static inline int get_digits(const u8 *d, u32 *id)
{
	u32 v = 0;
	for (int i = 0; i < 8; i++) {
		u32 x = (u32)d[g.dpos[i]] - '0';
		if (x > 9) return -1;
		v = v * 10 + x;
	}
	*id = v;
	return 0;
}
static void put_topic(u8 *p, u32 id)
{
	memcpy(p, o.prefix, (size_t)g.plen);
	memset(p + g.plen, '/', (size_t)(g.tlen - g.plen));
	put_digits(p + g.plen + 1, id);
}
static inline u32 topic_id(u32 stream) { return g.tmod ? stream % g.tmod : stream; }

/* Builds the k-th filter of a subscriber, returns its length. */
static u32 put_filter(u8 *p, const sub_t *s, u32 k)
{
	if (s->filter == FL_EXACT) { put_topic(p, s->f_first + k); return (u32)g.tlen; }
	memcpy(p, o.prefix, (size_t)g.plen);
	u32 n = (u32)g.plen;
	if (s->filter == FL_HASH) { memcpy(p + n, "/#", 2); return n + 2; }
	for (u32 i = 0; i < o.levels; i++) { memcpy(p + n, "/+", 2); n += 2; }
	return n;
}

/* ---------------------------------------------------------- names of codes */

static const char *reason(int v5, int connack, u32 c);
static const char *reason(int v5, int connack, u32 c)
{
	static const struct { u8 c; const char *s; } t[] = {
		{0x00, "normal"}, {0x04, "disconnect with will"}, {0x10, "no matching subscribers"},
		{0x80, "unspecified error"}, {0x81, "malformed packet"}, {0x82, "protocol error"},
		{0x83, "implementation specific error"}, {0x84, "unsupported protocol version"},
		{0x85, "client identifier not valid"}, {0x86, "bad user name or password"},
		{0x87, "not authorized"}, {0x88, "server unavailable"}, {0x89, "server busy"}, {0x8a, "banned"},
		{0x8b, "server shutting down"}, {0x8c, "bad authentication method"}, {0x8d, "keep alive timeout"},
		{0x8e, "session taken over"}, {0x8f, "topic filter invalid"}, {0x90, "topic name invalid"},
		{0x91, "packet identifier in use"}, {0x92, "packet identifier not found"},
		{0x93, "receive maximum exceeded"}, {0x94, "topic alias invalid"}, {0x95, "packet too large"},
		{0x96, "message rate too high"}, {0x97, "quota exceeded"}, {0x98, "administrative action"},
		{0x99, "payload format invalid"}, {0x9a, "retain not supported"}, {0x9b, "QoS not supported"},
		{0x9c, "use another server"}, {0x9d, "server moved"}, {0x9e, "shared subscriptions not supported"},
		{0x9f, "connection rate exceeded"}, {0xa0, "maximum connect time"},
		{0xa1, "subscription identifiers not supported"}, {0xa2, "wildcard subscriptions not supported"}};
	if (!v5) {
		static const char *r[] = {"accepted", "unacceptable protocol version", "identifier rejected",
					  "server unavailable", "bad user name or password", "not authorized"};
		return connack && c < 6 ? r[c] : c == 0x80 ? "failure" : "unknown code";
	}
	if (connack && c && c < 6) return reason(0, 1, c); /* answered in the older form */
	for (size_t i = 0; i < sizeof t / sizeof *t; i++)
		if (t[i].c == c) return t[i].s;
	return "unknown code";
}

typedef struct { int rxmax, maxqos, retain, ka, wild, aliasmax; u32 maxpkt; char str[160]; } props;

/* Parses the MQTT 5 properties at p (length first). Returns bytes used or -1. */
static int get_props(const u8 *p, u32 n, props *r)
{
	u32 len;
	int h = get_var(p, n, &len);
	memset(r, 0, sizeof *r);
	r->rxmax = 65535; r->maxqos = 2; r->retain = 1; r->ka = -1; r->wild = 1;
	if (h <= 0 || len > n - (u32)h) return -1;
	const u8 *q = p + h, *e = q + len;
	while (q < e) {
		u8 id = *q++;
		u32 left = (u32)(e - q), k = 0;
		switch (id) {
		case 0x01: case 0x17: case 0x19: case 0x24: case 0x25: case 0x28: case 0x29: case 0x2a:
			k = 1;
			if (left < 1) return -1;
			if (id == 0x24) r->maxqos = *q;
			if (id == 0x25) r->retain = *q;
			if (id == 0x28) r->wild = *q;
			break;
		case 0x13: case 0x21: case 0x22: case 0x23:
			k = 2;
			if (left < 2) return -1;
			if (id == 0x21) r->rxmax = (int)be16(q);
			if (id == 0x22) r->aliasmax = (int)be16(q);
			if (id == 0x13) r->ka = (int)be16(q);
			break;
		case 0x02: case 0x11: case 0x18: case 0x27:
			k = 4;
			if (left < 4) return -1;
			if (id == 0x27) r->maxpkt = be16(q) << 16 | be16(q + 2);
			break;
		case 0x0b: { u32 v; int z = get_var(q, left, &v); if (z <= 0) return -1; k = (u32)z; break; }
		case 0x03: case 0x08: case 0x09: case 0x12: case 0x15: case 0x16: case 0x1a: case 0x1c: case 0x1f:
			if (left < 2) return -1;
			k = 2 + be16(q);
			if (id == 0x1f && k <= left) snprintf(r->str, sizeof r->str, "%.*s", (int)(k - 2), (const char *)q + 2);
			break;
		case 0x26: {
			if (left < 2) return -1;
			u32 a = 2 + be16(q);
			if (left < a + 2) return -1;
			k = a + 2 + be16(q + a);
			break;
		}
		default: return -1;
		}
		if (k > left) return -1;
		q += k;
	}
	return h + (int)len;
}

/* ------------------------------------------------------- connection basics */

static void conn_lost(conn *c, const char *fmt, ...);
static void pub_check_done(worker *w, conn *c);
static void on_up(worker *w, conn *c);
static void on_closed(worker *w, conn *c);
static u32 pump(worker *w, conn *c, u32 pre);

static const char *rolename(const conn *c)
{
	return c->role == R_PUB ? "publisher" : c->role == R_SUB ? "subscriber" : c->role == R_CHURN ? "churn slot" : "connection";
}
static void client_id(const conn *c, char *b)
{
	char r = c->role == R_PUB ? 'p' : c->role == R_SUB ? 's' : c->role == R_CHURN ? 'x' : 'c';
	if (c->role == R_CHURN) sprintf(b, "%06x%c%u-%u", g.run & 0xffffff, r, c->idx, c->gen);
	else sprintf(b, "%06x%c%08u", g.run & 0xffffff, r, c->idx);
}

static void out_append(conn *c, const u8 *b, u32 n)
{
	if (c->out_off && c->out_off + c->out_len + n > c->out_cap) {
		memmove(c->out, c->out + c->out_off, c->out_len);
		c->out_off = 0;
	}
	if (c->out_len + n > c->out_cap) {
		u32 k = c->out_cap ? c->out_cap : 512;
		while (k < c->out_len + n) k *= 2;
		c->out = xrealloc(c->out, k);
		c->out_cap = k;
	}
	memcpy(c->out + c->out_off + c->out_len, b, n);
	c->out_len += n;
}

/* Sending failed: the broker may have said why before it closed. */
static void send_failed(conn *c, int err)
{
	u8 b[8192];
	u32 n = 0;
	props pr;
	if (o.ver == 5 && !o.ws && !c->part_need && c->part_len < 4096) {
		memcpy(b, c->part, c->part_len);
		n = c->part_len;
		ssize_t r = recv(c->fd, b + n, sizeof b - n, MSG_DONTWAIT);
		if (r > 0) n += (u32)r;
		for (u32 i = 0; i + 2 <= n;) {
			u32 rl;
			int z = get_var(b + i + 1, n - i - 1, &rl);
			if (z <= 0 || rl > n - i - 1 - (u32)z) break;
			u8 *p = b + i + 1 + z;
			if (b[i] == 0xe0) {
				pr.str[0] = 0;
				if (rl > 1) get_props(p + 1, rl - 1, &pr);
				conn_lost(c, "broker sent DISCONNECT 0x%02x (%s)%s%s", rl ? p[0] : 0, reason(1, 0, rl ? p[0] : 0), pr.str[0] ? ": " : "", pr.str);
				return;
			}
			i += 1 + (u32)z + rl;
		}
	}
	conn_lost(c, "send: %s", strerror(err));
}

/* Sends now what the socket takes, keeps the rest. Returns -1 if the connection is gone. */
static int raw_send(conn *c, const u8 *b, u32 n)
{
	c->last_tx = c->w->now;
	if (c->wr && !c->out_len) {
		ssize_t r = send(c->fd, b, n, MSG_NOSIGNAL);
		if (r == (ssize_t)n) return 0;
		if (r < 0) {
			if (errno == EINTR || errno == EAGAIN) r = 0;
			else { send_failed(c, errno); return -1; }
		}
		c->wr = 0;
		b += r;
		n -= (u32)r;
	}
	out_append(c, b, n);
	return 0;
}

/* -------------------------------------------------------------- WebSocket
 * RFC 6455, the client's side of what MQTT needs: the handshake, binary frames with a mask, answers to
 * Close and Ping. As MQTT clients do, each control packet travels in a frame of its own.
 */
#define WS_KEY "dGhlIHNhbXBsZSBub25jZQ==" /* the key of RFC 6455 section 1.3, so that its answer is known */
#define WS_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* Writes a masked frame of `n` payload bytes at q, returns the end. */
static u8 *ws_frame(worker *w, u8 *q, u8 op, const u8 *b, u32 n)
{
	u32 m = w->mask;
	m ^= m << 13; m ^= m >> 17; m ^= m << 5;
	w->mask = m;
	*q++ = 0x80 | op;
	if (n < 126) *q++ = (u8)(0x80 | n);
	else if (n < 65536) { *q++ = 0x80 | 126; put16(q, n); q += 2; }
	else { *q++ = 0x80 | 127; memset(q, 0, 4); put16(q + 4, n >> 16); put16(q + 6, n & 0xffff); q += 8; }
	memcpy(q, &m, 4);
	q += 4;
	u64 mm = (u64)m << 32 | m, v;
	u32 i = 0;
	for (; i + 8 <= n; i += 8) { memcpy(&v, b + i, 8); v ^= mm; memcpy(q + i, &v, 8); }
	for (; i < n; i++) q[i] = b[i] ^ (u8)(m >> (i & 3) * 8);
	return q + n;
}
/* Sends whole MQTT packets. */
static int conn_send(conn *c, const u8 *b, u32 n)
{
	worker *w = c->w;
	if (!o.ws) return raw_send(c, b, n);
	u32 most = 4 * n + 16; /* the smallest packet has 2 bytes, its frame 8 */
	if (w->wscap < most) { w->wsb = xrealloc(w->wsb, most); w->wscap = most; }
	u8 *q = w->wsb;
	for (u32 k; n; b += k, n -= k) {
		u32 rl;
		int z = get_var(b + 1, n - 1, &rl);
		k = z > 0 ? 1 + (u32)z + rl : n;
		q = ws_frame(w, q, 2, b, k);
	}
	return raw_send(c, w->wsb, (u32)(q - w->wsb));
}
static void ws_request(conn *c)
{
	char b[600];
	int n = snprintf(b, sizeof b, "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Key: " WS_KEY "\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n", o.wspath, o.host, o.port);
	raw_send(c, (const u8 *)b, (u32)n);
}
/* Reads the answer to the request, and no further. Returns true when it is complete and says yes. */
static bool ws_accepted(conn *c)
{
	char b[4096];
	ssize_t r = recv(c->fd, b, sizeof b - 1, MSG_PEEK);
	if (r <= 0) {
		if (r < 0 && (errno == EAGAIN || errno == EINTR)) return false;
		conn_lost(c, "%s during the WebSocket handshake", r ? strerror(errno) : "broker closed the connection");
		return false;
	}
	b[r] = 0;
	char *end = strstr(b, "\r\n\r\n");
	if (!end) {
		if (r == sizeof b - 1) conn_lost(c, "WebSocket handshake: header too long");
		return false;
	}
	end[2] = 0;
	if (recv(c->fd, b, (size_t)(end + 4 - b), 0) != end + 4 - b) { conn_lost(c, "recv: %s", strerror(errno)); return false; }
	end[2] = 0;
	if (strncmp(b, "HTTP/1.1 101", 12)) conn_lost(c, "WebSocket handshake: %.*s", (int)strcspn(b, "\r\n"), b);
	else if (!strstr(b, WS_ACCEPT)) conn_lost(c, "WebSocket handshake: wrong or no Sec-WebSocket-Accept");
	else if (!strcasestr(b, "\r\nSec-WebSocket-Protocol: mqtt\r\n")) conn_lost(c, "WebSocket handshake: no subprotocol mqtt");
	else return true;
	return false;
}
/* A control frame is complete: answers Close with Close, Ping with Pong. */
static void ws_control(conn *c)
{
	u8 b[140], *e;
	u8 op = c->ws_ctl;
	if (op == 10) return;
	e = ws_frame(c->w, b, op == 8 ? 8 : 10, c->ws_cb, c->ws_cn);
	raw_send(c, b, (u32)(e - b));
}
/* Takes the frame headers out of n bytes at b; returns the payload bytes left, or -2 if the connection is gone. */
static ssize_t ws_unframe(conn *c, u8 *b, u32 n)
{
	u8 *d = b, *e = b + n, *first = b;
	while (b < e) {
		if (c->ws_left) {
			u32 k = (u64)(e - b) < c->ws_left ? (u32)(e - b) : (u32)c->ws_left;
			if (c->ws_ctl) { memcpy(c->ws_cb + c->ws_cn, b, k); c->ws_cn += (u8)k; }
			else { if (d != b) memmove(d, b, k); d += k; }
			b += k;
			c->ws_left -= k;
			if (!c->ws_left && c->ws_ctl) ws_control(c);
			if (c->fd < 0) return -2;
			continue;
		}
		u8 *h = c->ws_hd;
		h[c->ws_hn++] = *b++;
		if (c->ws_hn < 2) continue;
		u32 l = h[1] & 127, op = h[0] & 15;
		if (h[1] & 128 || h[0] & 0x70 || (op != 0 && op != 2 && (op < 8 || op > 10)) || (op >= 8 && l > 125)) {
			conn_lost(c, "bad WebSocket frame header %02x %02x", h[0], h[1]);
			return -2;
		}
		if (c->ws_hn < (l == 126 ? 4 : l == 127 ? 10 : 2)) continue;
		c->ws_hn = 0;
		c->ws_left = l < 126 ? l : be16(h + 2);
		if (l == 127) for (int i = 4; i < 10; i += 2) c->ws_left = c->ws_left << 16 | be16(h + i);
		c->ws_ctl = op >= 8 ? (u8)op : 0;
		c->ws_cn = 0;
		if (!c->ws_left && c->ws_ctl) ws_control(c);
		if (c->fd < 0) return -2;
	}
	return d - first;
}
/* recv() of MQTT bytes. `full` tells whether there may be more in the socket. */
static ssize_t conn_recv(conn *c, u8 *b, u32 want, bool *full)
{
	for (;;) {
		ssize_t r = recv(c->fd, b, want, 0);
		*full = r == (ssize_t)want;
		if (r <= 0 || !o.ws) return r;
		r = ws_unframe(c, b, (u32)r);
		if (r) return r;
	}
}

static int conn_flush(conn *c)
{
	while (c->out_len && c->wr) {
		ssize_t r = send(c->fd, c->out + c->out_off, c->out_len, MSG_NOSIGNAL);
		if (r < 0) {
			if (errno == EINTR) continue;
			if (errno == EAGAIN) { c->wr = 0; return 0; }
			send_failed(c, errno);
			return -1;
		}
		c->last_tx = c->w->now;
		if (c->pub) c->w->k.last_ev = c->w->now;
		if ((u32)r < c->out_len) c->wr = 0;
		c->out_off += (u32)r;
		c->out_len -= (u32)r;
	}
	if (!c->out_len) c->out_off = 0;
	return 0;
}

/* Closes the socket. Both sides being done, a reset leaves no TIME_WAIT behind. */
static void conn_close(conn *c, int rst)
{
	if (c->fd >= 0) {
		if (rst) {
			struct linger l = {1, 0};
			setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &l, sizeof l);
		}
		close(c->fd);
	}
	c->fd = -1;
	c->rdpend = 0;
	c->out_len = c->out_off = 0;
	c->part_len = c->part_need = 0;
	if (c->out_cap > 65536) { free(c->out); c->out = NULL; c->out_cap = 0; }
	if (c->part_cap > 65536) { free(c->part); c->part = NULL; c->part_cap = 0; }
}

/* The connection ended and should not have. */
static void conn_lost(conn *c, const char *fmt, ...)
{
	char why[300], id[64];
	va_list ap;
	if (c->st == ST_DEAD || c->st == ST_IDLE) return;
	worker *w = c->w;
	int st = c->st;
	if (st == ST_CLOSING) { /* we had said goodbye: any end is fine */
		conn_close(c, 1);
		c->st = ST_IDLE;
		w->nclosing--;
		on_closed(w, c);
		return;
	}
	va_start(ap, fmt);
	vsnprintf(why, sizeof why, fmt, ap);
	va_end(ap);
	client_id(c, id);
	static const char *stn[] = {"idle", "TCP connect", "WebSocket handshake", "waiting for CONNACK", "waiting for SUBACK", "up", "closing", "dead"};
	problem("%s %u (client id %s, %s): %s", rolename(c), c->idx, id, stn[st], why);
	conn_close(c, 1);
	c->st = ST_DEAD;
	if (c->opening) { c->opening = 0; w->opinfl--; w->opfail++; w->op_last = w->now; }
	w->k.disc++;
	if (c->sub && c->sub->q2open) { w->k.q2open -= c->sub->q2open; c->sub->q2open = 0; }
	if (c->pub && c->role == R_PUB && !c->pub->dead) {
		c->pub->dead = 1;
		w->k.unacked += c->pub->inflight;
		pub_check_done(w, c);
	}
	if (c->role == R_CHURN) on_closed(w, c);
}

static void source_addr(conn *c)
{
	struct sockaddr_in a;
	int one = 1;
	memset(&a, 0, sizeof a);
	a.sin_family = AF_INET;
	a.sin_addr.s_addr = htonl(0x7f000001u + c->cid % o.nsrc);
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
	if (bind(c->fd, (struct sockaddr *)&a, sizeof a)) problem("bind 127.0.0.%u: %s", 1 + c->cid % o.nsrc, strerror(errno));
}

static void conn_start(worker *w, conn *c)
{
	int one = 1;
	c->st = ST_TCP;
	c->wr = 0;
	c->got = 0;
	c->pings = 0;
	c->ws_left = c->ws_hn = c->ws_ctl = 0;
	c->t_start = c->last_tx = now_ns();
	c->fd = socket(g.addr.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0) { conn_lost(c, "socket: %s", strerror(errno)); return; }
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
	if (o.sndbuf && (c->role & R_PUB)) setsockopt(c->fd, SOL_SOCKET, SO_SNDBUF, &o.sndbuf, sizeof o.sndbuf);
	if (o.rcvbuf) setsockopt(c->fd, SOL_SOCKET, SO_RCVBUF, &o.rcvbuf, sizeof o.rcvbuf);
	if (o.nsrc > 1) source_addr(c);
	if (connect(c->fd, (struct sockaddr *)&g.addr, g.alen) && errno != EINPROGRESS) {
		conn_lost(c, "connect: %s", strerror(errno));
		return;
	}
	struct epoll_event e = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, .data.ptr = c};
	if (epoll_ctl(w->ep, EPOLL_CTL_ADD, c->fd, &e)) conn_lost(c, "epoll_ctl: %s", strerror(errno));
}

static void send_connect(conn *c)
{
	u8 b[1024], body[1000], *p = body;
	char id[64];
	client_id(c, id);
	u8 fl = (c->role == R_SUB || c->role == R_CONN || c->role == R_CHURN ? o.clean : 1) ? 2 : 0;
	int persistent = !fl;
	if (o.user) fl |= 0x80;
	if (o.pass) fl |= 0x40;
	p = put_str(p, "MQTT");
	*p++ = (u8)o.ver;
	*p++ = fl;
	put16(p, o.ka); p += 2;
	if (o.ver == 5) {
		u8 pr[16], *q = pr;
		if (persistent) { *q++ = 0x11; *q++ = 0; *q++ = 0; *q++ = 0x0e; *q++ = 0x10; } /* 3600 s */
		if (o.rxmax) { *q++ = 0x21; put16(q, o.rxmax); q += 2; }
		*p++ = (u8)(q - pr);
		memcpy(p, pr, (size_t)(q - pr));
		p += q - pr;
	}
	p = put_str(p, id);
	if (o.user) p = put_str(p, o.user);
	if (o.pass) p = put_str(p, o.pass);
	u8 *h = b;
	*h++ = 0x10;
	h = put_var(h, (u32)(p - body));
	memcpy(h, body, (size_t)(p - body));
	conn_send(c, b, (u32)(h - b + (p - body)));
}

/* Sends the next SUBSCRIBE of this connection (up to 100 filters each). */
static void send_subscribe(conn *c)
{
	sub_t *s = c->sub;
	u32 n = s->f_cnt - s->f_done;
	if (n > 100) n = 100;
	u8 *b = xmalloc(64 + (size_t)n * ((size_t)g.tlen + 64)), *body = b + 8, *p = body;
	put16(p, SUBID); p += 2;
	if (o.ver == 5) *p++ = 0;
	for (u32 i = 0; i < n; i++) {
		u32 l = put_filter(p + 2, s, s->f_done + i);
		put16(p, l);
		p += 2 + l;
		*p++ = (u8)o.Q;
	}
	u32 rl = (u32)(p - body), hl = 1 + (u32)varlen(rl);
	u8 *h = body - hl;
	h[0] = 0x82;
	put_var(h + 1, rl);
	conn_send(c, h, hl + rl);
	free(b);
}
static void send_disconnect(worker *w, conn *c)
{
	static const u8 d[2] = {0xe0, 0}, d5[9] = {0xe0, 7, 0, 5, 0x11, 0, 0, 0, 0};
	c->st = ST_CLOSING;
	w->nclosing++;
	c->t_start = c->role == R_CHURN ? c->t_start : w->now;
	/* In MQTT 5 a persistent session is given up by a zero expiry, unless it is to be kept. */
	if (o.ver == 5 && !o.clean && c->role == R_SUB && !o.keep) conn_send(c, d5, 9);
	else conn_send(c, d, 2);
}

/* ---------------------------------------------------------------- publish */

/* Writes fixed header, topic (none in the brief form), id and properties of a PUBLISH. */
static void put_prefix(u8 *q, const layout *l, u32 topic)
{
	u32 tl = l == &g.full ? (u32)g.tlen : 0;
	*q++ = g.hdr0;
	q = put_var(q, l->pkt_rl - (g.clear ? o.size : 0));
	put16(q, tl); q += 2;
	if (tl) put_topic(q, topic);
	q += tl;
	if (o.q) q += 2;
	if (o.ver != 5) return;
	q = put_var(q, (o.alias ? 3 : 0) + g.upn);
	if (o.alias) { *q++ = 0x23; put16(q, 1); q += 2; }
	memcpy(q, g.up, g.upn);
}
static void pub_template(pub_t *p, u32 topic)
{
	put_prefix(p->pfx, &g.full, topic);
	if (o.alias) put_prefix(p->brief, &g.brief, topic);
}
static void layout_of(layout *l, u32 tlen)
{
	u32 sz = g.clear ? 0 : o.size, pl = (o.alias ? 3 : 0) + g.upn;
	u32 id = o.q ? 2 : 0, plen = o.ver == 5 ? (u32)varlen(pl) : 0;
	l->pkt_rl = 2 + tlen + id + (o.ver == 5 ? plen + pl : 0) + o.size;
	u32 rl = l->pkt_rl - (o.size - sz);
	u32 hl = 1 + (u32)varlen(rl);
	l->off_dig = hl + 2 + (u32)g.plen + 1;
	l->off_id = hl + 2 + tlen;
	l->off_alias = l->off_id + id + plen + 1;
	l->pfx_len = hl + rl - sz;
	l->pkt_len = hl + rl;
}
static void pub_layout(void)
{
	g.hdr0 = (u8)(0x30 | o.q << 1 | (o.retain ? 1 : 0));
	layout_of(&g.full, (u32)g.tlen);
	layout_of(&g.brief, 0);
}
/* The user properties that every PUBLISH carries (--user-props). */
static void user_props_init(void)
{
	g.up = xcalloc(o.uprops + 1, 64);
	u8 *q = g.up;
	for (u32 i = 0; i < o.uprops; i++) {
		char name[20], value[32];
		snprintf(name, sizeof name, "name-%u", i);
		snprintf(value, sizeof value, "value-%u-0123456", i);
		*q++ = 0x26;
		q = put_str(q, name);
		q = put_str(q, value);
	}
	g.upn = (u32)(q - g.up);
}
static void pub_ids_reset(pub_t *p)
{
	u32 n = o.window;
	if (!o.q) { p->window = 0; return; }
	if (!p->ring) { p->ring = xmalloc(n * sizeof *p->ring); p->idst = xcalloc(n + 1, 1); }
	memset(p->idst, 0, n + 1);
	if (!p->window || p->window > n) p->window = n;
	for (u32 i = 0; i < p->window; i++) p->ring[i] = (u16)(i + 1);
	p->rh = p->rt = 0;
	p->inflight = 0;
}
static pub_t *pub_new(u32 idx)
{
	pub_t *p = xcalloc(1, sizeof *p);
	p->limit = UINT64_MAX;
	p->pfx = xmalloc(g.full.pfx_len + 16);
	p->brief = xmalloc(g.brief.pfx_len + 16);
	pub_template(p, topic_id(idx * o.topics));
	pub_ids_reset(p);
	return p;
}

static inline bool can_send(const conn *c)
{
	const pub_t *p = c->pub;
	return c->st == ST_UP && c->wr && !c->out_len && !g.stop && p->sent < p->limit &&
	       (o.rate <= 0 || p->due) && (!o.lag || c->w->room) && (!o.q || p->inflight < p->window);
}
static inline void enqueue(worker *w, conn *c)
{
	if (c->inq) return;
	c->inq = 1;
	c->qnext = NULL;
	if (w->rqt) w->rqt->qnext = c; else w->rqh = c;
	w->rqt = c;
}
static void send_ping(conn *c)
{
	static const u8 ping[2] = {0xc0, 0};
	c->pings++;
	c->w->k.pings++;
	conn_send(c, ping, 2);
}
static void pub_check_done(worker *w, conn *c)
{
	pub_t *p = c->pub;
	if (p->done || c->role != R_PUB) return;
	if (!p->dead) {
		if (!((p->sent >= p->limit || g.stop) && !c->out_len && !p->inflight)) return;
		if (!o.q && !p->fenced) { /* no acknowledgements: a PINGRESP tells when all has been read */
			p->fenced = 1;
			send_ping(c);
			return;
		}
		if (!o.q && c->pings) return;
	}
	p->done = 1;
	w->k.pubs_done++;
	w->k.last_ev = w->now;
}

/* Appends one PUBLISH at q, returns the end. */
static inline u8 *gen_one(pub_t *p, u32 base, u64 ts, u8 *q)
{
	u32 stream = base + p->t;
	bool brief = o.alias && p->sent >= o.topics; /* each topic has been given its alias */
	const layout *l = brief ? &g.brief : &g.full;
	memcpy(q, brief ? p->brief : p->pfx, l->pfx_len);
	if (o.topics > 1) {
		if (!brief) put_digits(q + l->off_dig, topic_id(stream));
		if (o.alias) put16(q + l->off_alias, p->t + 1);
	}
	if (o.q) {
		u32 id = p->ring[p->rh];
		if (++p->rh == p->window) p->rh = 0;
		p->idst[id] = (u8)o.q;
		p->inflight++;
		put16(q + l->off_id, id);
	}
	q += l->pfx_len;
	if (likely(!g.clear)) {
		memcpy(q, g.payload, o.size);
		memcpy(q + 4, &stream, 4);
		memcpy(q + 8, &p->seq, 8);
		if (o.size >= 24) memcpy(q + 16, &ts, 8);
		q += o.size;
	}
	if (++p->t == o.topics) { p->t = 0; p->seq++; }
	p->sent++;
	return q;
}

/* Generates and sends one batch for a publisher; w->tx already holds `pre` bytes of acknowledgements. */
static u32 pump(worker *w, conn *c, u32 pre)
{
	pub_t *p = c->pub;
	u8 *q = w->tx + pre;
	if (can_send(c)) {
		u64 n = p->limit - p->sent, m;
		if (o.rate > 0 && n > p->due) n = p->due;
		if (o.q && n > p->window - p->inflight) n = p->window - p->inflight;
		if (o.burst && n > o.burst) n = o.burst;
		if (o.lag && n > w->room) n = w->room;
		m = (u32)o.batch / g.full.pkt_len + 1;
		if (n > m) n = m;
		u64 ts = now_ns();
		w->now = ts;
		u32 base = c->idx * o.topics;
		for (u64 i = 0; i < n; i++) q = gen_one(p, base, ts, q);
		if (o.rate > 0) p->due -= n;
		if (o.lag) w->room -= n;
		w->k.sent += n;
		w->k.last_ev = ts;
		if (!o.q) w->k.last_pub = ts;
	}
	u32 bytes = (u32)(q - w->tx);
	if (bytes && conn_send(c, w->tx, bytes)) return bytes;
	if (can_send(c)) enqueue(w, c);
	pub_check_done(w, c);
	return bytes;
}

/* ---------------------------------------------------------------- receive */

static void rx_slow(worker *w, rxs *r, u32 stream, u32 seq, int dupflag)
{
	anom *a;
	u32 pi = stream / o.topics;
	if (o.threads == 1 && pi < w->npubs) {
		u64 n = w->pubs[pi]->pub->sent;
		if (seq >= (n + o.topics - 1 - stream % o.topics) / o.topics) { w->k.bad++; return; } /* never sent */
	}
	if (!r->an) {
		if (seq < r->next) goto dup;
		if (w->nan == w->ancap) {
			w->ancap = w->ancap ? w->ancap * 2 : 64;
			w->an = xrealloc(w->an, w->ancap * sizeof *w->an);
		}
		a = &w->an[w->nan++];
		a->base = r->next;
		a->nbits = 0;
		a->bits = NULL;
		r->an = w->nan;
	}
	a = &w->an[r->an - 1];
	if (seq < a->base) goto dup;
	u32 b = seq - a->base;
	if (b >= a->nbits) {
		u32 n = a->nbits ? a->nbits : 1024;
		while (n <= b) n *= 2;
		a->bits = xrealloc(a->bits, n / 8);
		memset((u8 *)a->bits + a->nbits / 8, 0, (n - a->nbits) / 8);
		a->nbits = n;
	}
	if (a->bits[b >> 6] >> (b & 63) & 1) goto dup;
	a->bits[b >> 6] |= 1ull << (b & 63);
	if (seq >= r->next) r->next = seq + 1;
	else w->k.reorder++;
	return;
dup:
	if (dupflag) w->k.dup_ok++;
	else w->k.dup_bad++;
}

/* Are the user properties of a delivery those that were published, in their order? */
static bool same_user_props(const u8 *p, u32 n)
{
	const u8 *e = p + n, *u = g.up, *ue = g.up + g.upn;
	if (n == g.upn && !memcmp(p, g.up, n)) return true;
	while (p < e) {
		u32 left = (u32)(e - p), k, v;
		int z;
		switch (*p) {
		case 0x01: k = 2; break;
		case 0x02: k = 5; break;
		case 0x23: k = 3; break;
		case 0x03: case 0x08: case 0x09: if (left < 3) return false; k = 3 + be16(p + 1); break;
		case 0x0b: z = get_var(p + 1, left - 1, &v); if (z <= 0) return false; k = 1 + (u32)z; break;
		case 0x26:
			if (left < 3) return false;
			k = 3 + be16(p + 1);
			if (left < k + 2) return false;
			k += 2 + be16(p + k);
			if (k > left || k > (u32)(ue - u) || memcmp(p, u, k)) return false;
			u += k;
			break;
		default: return false;
		}
		if (k > left) return false;
		p += k;
	}
	return u == ue;
}

static inline void ack4(worker *w, u8 type, u32 id)
{
	u8 *q = w->tx + w->txn;
	q[0] = type; q[1] = 2; q[2] = (u8)(id >> 8); q[3] = (u8)id;
	w->txn += 4;
}

static void rx_publish(worker *w, conn *c, u8 h, const u8 *p, u32 n)
{
	u32 q = h >> 1 & 3, tl, off, id = 0, pl = 0;
	sub_t *s = c->sub;
	if (n < 2 || q == 3) goto malformed;
	tl = be16(p);
	off = 2 + tl;
	if (off + (q ? 2 : 0) > n) goto malformed;
	if (q) { id = be16(p + off); off += 2; if (!id) goto malformed; }
	if (o.ver == 5) {
		int z = get_var(p + off, n - off, &pl);
		if (z <= 0) goto malformed;
		off += (u32)z + pl;
		if (off > n) goto malformed;
	}
	const u8 *prop = p + off - pl;
	if (!s) { conn_lost(c, "PUBLISH on a connection without a subscription"); return; }
	w->k.last_rx = w->k.last_ev = w->now;
	if (q == 1) ack4(w, 0x40, id);
	else if (q == 2) {
		ack4(w, 0x50, id);
		if (!s->q2) s->q2 = xcalloc(1024, 8);
		if (s->q2[id >> 6] >> (id & 63) & 1) { /* the id is still open: a redelivery, not a new message */
			if (h & 8) w->k.redeliv++;
			else { w->k.q2viol++; problem("subscriber %u: QoS 2 id %u used again before PUBREL, without DUP", c->idx, id); }
			return;
		}
		s->q2[id >> 6] |= 1ull << (id & 63);
		s->q2open++;
		w->k.q2open++;
	}
	if (unlikely(!w->k.first_rx)) w->k.first_rx = w->now;
	w->k.rx++;
	const u8 *m = p + off;
	u32 ml = n - off;
	w->k.rxbytes += ml;
	u32 run, stream, tid;
	u64 seq;
	if (ml < 16) { w->k.foreign++; return; }
	memcpy(&run, m, 4);
	if (run != g.run) { w->k.foreign++; return; }
	memcpy(&stream, m + 4, 4);
	memcpy(&seq, m + 8, 8);
	u32 hd = o.size >= 24 ? 24 : 16;
	if (ml != o.size || stream >= g.streams || seq >= UINT32_MAX || tl != (u32)g.tlen ||
	    memcmp(p + 2, o.prefix, (size_t)g.plen) || get_digits(p + 2 + g.plen + 1, &tid) || tid != topic_id(stream))
		goto bad;
	if (o.size <= 4096) {
		if (memcmp(m + hd, g.payload + hd, o.size - hd)) goto bad;
	} else if (memcmp(m + hd, g.payload + hd, 2048 - hd) || memcmp(m + o.size - 2048, g.payload + o.size - 2048, 2048))
		goto bad;
	if (o.uprops && !same_user_props(prop, pl)) goto bad;
	if (unlikely(q != (u32)(o.q < s->granted ? o.q : s->granted))) w->k.qosdiff++;
	if (o.scen == SC_RETAIN && !(h & 1)) w->k.noretain++;
	rxs *r;
	if (o.shape == SH_PAIR) {
		if (stream / o.topics != c->idx) goto bad;
		r = &g.rx[stream];
	} else if (o.shape == SH_OWN) {
		if (topic_id(stream) != c->idx) goto bad;
		r = &g.rx[stream];
	} else r = &g.rx[(size_t)c->idx * g.streams + stream];
	c->got = 1;
	if (likely(seq == r->next && !r->an)) r->next++;
	else {
		u64 d0 = w->k.dup_ok + w->k.dup_bad + w->k.bad;
		rx_slow(w, r, stream, (u32)seq, q == 1 && (h & 8));
		if (w->k.dup_ok + w->k.dup_bad + w->k.bad != d0) return;
	}
	if (o.lat) {
		u64 ts;
		memcpy(&ts, m + 16, 8);
		if (ts >= g.t_warm) {
			h_add(w->h1, w->now > ts ? w->now - ts : 0);
			if (o.rate > 0) {
				u32 pi = stream / o.topics;
				double gi = ((double)seq * o.topics + stream % o.topics) * o.P + pi;
				u64 due = g.t0 + (u64)(gi * 1e9 / o.rate);
				h_add(w->h2, w->now > due ? w->now - due : 0);
			}
		}
	}
	return;
bad:
	w->k.bad++;
	if (w->k.bad <= 3) problem("%s %u: message with a wrong topic, length, content or user property (topic %.*s, %u bytes)", rolename(c), c->idx, tl > 80 ? 80 : (int)tl, (const char *)p + 2, ml);
	return;
malformed:
	conn_lost(c, "malformed PUBLISH from the broker (%u bytes)", n);
}

static void rx_ack(worker *w, conn *c, u8 type, const u8 *p, u32 n)
{
	pub_t *u = c->pub;
	if (n < 2) { conn_lost(c, "malformed acknowledgement"); return; }
	u32 id = be16(p), rc = o.ver == 5 && n > 2 ? p[2] : 0;
	w->k.last_ev = w->now;
	if (type == 6) { /* PUBREL, for a subscriber */
		sub_t *s = c->sub;
		ack4(w, 0x70, id);
		if (s && s->q2 && s->q2[id >> 6] >> (id & 63) & 1) {
			s->q2[id >> 6] &= ~(1ull << (id & 63));
			s->q2open--;
			w->k.q2open--;
		} else w->k.bad_ack++;
		return;
	}
	if (!u || !o.q || id < 1 || id > u->window) goto bad;
	u8 st = u->idst[id];
	switch (type) {
	case 4:
		if (st != 1 || o.q != 1) goto bad;
		break;
	case 5:
		if (st == 3) { ack4(w, 0x62, id); return; } /* PUBREC again: PUBREL again */
		if (st != 2) goto bad;
		if (rc < 0x80) { u->idst[id] = 3; ack4(w, 0x62, id); return; }
		break;
	case 7:
		if (st != 3) goto bad;
		break;
	}
	u->idst[id] = 0;
	u->ring[u->rt] = (u16)id;
	if (++u->rt == u->window) u->rt = 0;
	u->inflight--;
	if (rc >= 0x80) {
		if (!w->k.nack++) problem("publisher %u: broker refused a message: 0x%02x %s", c->idx, rc, reason(1, 0, rc));
	} else w->k.acked++;
	w->k.last_pub = w->now;
	return;
bad:
	if (!w->k.bad_ack++) problem("%s %u: unexpected acknowledgement type %u for packet id %u", rolename(c), c->idx, type, id);
}

static void rx_connack(worker *w, conn *c, const u8 *p, u32 n)
{
	if (c->st != ST_CONNACK || n < 2) { conn_lost(c, "unexpected CONNACK"); return; }
	props pr;
	memset(&pr, 0, sizeof pr);
	pr.rxmax = 65535; pr.maxqos = 2; pr.retain = 1; pr.ka = -1; pr.wild = 1;
	if (o.ver == 5 && n > 2 && get_props(p + 2, n - 2, &pr) < 0 && !p[1]) { conn_lost(c, "malformed CONNACK properties"); return; }
	if (p[1]) {
		conn_lost(c, "CONNACK code 0x%02x (%s)%s%s", p[1], reason(o.ver == 5, 1, p[1]), pr.str[0] ? ": " : "", pr.str);
		return;
	}
	if (p[0] & 1) { __atomic_fetch_add(&g.sess_present, 1, __ATOMIC_RELAXED); if (c->sub) c->sub->session_present = 1; }
	else if (c->sub) c->sub->session_present = 0;
	if (c->pub && o.q) {
		if (pr.maxqos < o.q) { conn_lost(c, "broker allows at most QoS %d", pr.maxqos); return; }
		c->pub->window = pr.rxmax && (u32)pr.rxmax < o.window ? (u32)pr.rxmax : o.window;
		pub_ids_reset(c->pub);
	}
	if (c->pub && pr.maxpkt && g.full.pkt_len > pr.maxpkt) { conn_lost(c, "broker allows packets of at most %u bytes, these have %u", pr.maxpkt, g.full.pkt_len); return; }
	if (c->pub && o.retain && !pr.retain) { conn_lost(c, "broker does not support retained messages"); return; }
	if (c->pub && o.alias && (u32)pr.aliasmax < o.topics) { conn_lost(c, "broker allows %d topic aliases, %u are needed", pr.aliasmax, o.topics); return; }
	if (pr.ka >= 0 && (u32)pr.ka < o.ka) o.ka = (u32)pr.ka;
	if (c->sub && !c->sub->nosub) {
		c->st = ST_SUBACK;
		c->sub->f_done = 0;
		send_subscribe(c);
	} else on_up(w, c);
}

static void rx_suback(worker *w, conn *c, const u8 *p, u32 n)
{
	u32 off = 2;
	if (!c->sub || n < 3 || be16(p) != SUBID) { conn_lost(c, "unexpected SUBACK"); return; }
	if (o.ver == 5) {
		u32 pl;
		int z = get_var(p + 2, n - 2, &pl);
		if (z <= 0 || pl > n - 2 - (u32)z) { conn_lost(c, "malformed SUBACK"); return; }
		off += (u32)z + pl;
	}
	sub_t *s = c->sub;
	u32 want = s->f_cnt - s->f_done;
	if (want > 100) want = 100;
	if (n - off != want) { conn_lost(c, "SUBACK with %u codes for %u filters", n - off, want); return; }
	for (; off < n; off++) {
		if (p[off] > 2) { conn_lost(c, "SUBACK code 0x%02x (%s)", p[off], reason(o.ver == 5, 0, p[off])); return; }
		if (p[off] < s->granted) s->granted = p[off];
	}
	if (s->granted < w->qmin) w->qmin = s->granted;
	s->f_done += want;
	if (s->f_done < s->f_cnt) { send_subscribe(c); return; }
	if (c->st == ST_SUBACK) on_up(w, c);
}

static void rx_disconnect(conn *c, const u8 *p, u32 n)
{
	char b[260];
	props pr;
	u32 rc = n ? p[0] : 0;
	pr.str[0] = 0;
	if (n > 1) get_props(p + 1, n - 1, &pr);
	snprintf(b, sizeof b, "broker sent DISCONNECT 0x%02x (%s)%s%s", rc, reason(1, 0, rc), pr.str[0] ? ": " : "", pr.str);
	conn_lost(c, "%s", b);
}

static inline void handle(worker *w, conn *c, u8 h, const u8 *p, u32 n)
{
	if (likely(h >> 4 == 3)) { rx_publish(w, c, h, p, n); return; }
	switch (h >> 4) {
	case 4: case 5: case 7: rx_ack(w, c, h >> 4, p, n); break;
	case 6: rx_ack(w, c, 6, p, n); break;
	case 2: rx_connack(w, c, p, n); break;
	case 9: rx_suback(w, c, p, n); break;
	case 13:
		w->k.pongs++;
		if (c->pings) c->pings--;
		if (c->role == R_PUB && c->pub->fenced && !c->pub->done) {
			w->k.last_pub = w->k.last_ev = w->now;
			pub_check_done(w, c);
		}
		break;
	case 14: if (o.ver == 5) { rx_disconnect(c, p, n); break; } /* fallthrough */
	default: conn_lost(c, "unexpected packet type %u", h >> 4);
	}
}

static void churn_step(worker *w, conn *c);

/* After a read: send the acknowledgements gathered in w->tx, with new publishes behind them. */
static void after_input(worker *w, conn *c)
{
	u32 n = w->txn;
	w->txn = 0;
	if (c->st == ST_DEAD || c->st == ST_IDLE) return;
	if (c->pub && c->role == R_PUB && w->active) pump(w, c, n);
	else if (n) conn_send(c, w->tx, n);
	if (c->role == R_CHURN) churn_step(w, c);
}

static void part_room(conn *c, u32 n)
{
	if (c->part_cap >= n) return;
	u32 k = c->part_cap ? c->part_cap : 256;
	while (k < n) k *= 2;
	c->part = xrealloc(c->part, k);
	c->part_cap = k;
}

static void conn_read(worker *w, conn *c, bool hup)
{
	w->txn = 0;
	if (c->st == ST_WS) {
		if (!ws_accepted(c)) return;
		c->st = ST_CONNACK;
		send_connect(c);
		if (c->fd < 0) return;
	}
	for (int it = 0; it < 4 || hup; it++) {
		bool direct = c->part_need != 0, full;
		u32 have = c->part_len, want;
		u8 *base;
		if (direct) { base = c->part; want = c->part_need - have; }
		else {
			base = w->rb;
			want = RBUF - have;
			if (have) memcpy(base, c->part, have);
		}
		ssize_t r = conn_recv(c, base + have, want, &full);
		if (r == -2) return;
		if (r <= 0) {
			if (r < 0 && errno == EINTR) continue;
			if (r < 0 && errno == EAGAIN) return;
			if (r == 0) conn_lost(c, "broker closed the connection");
			else conn_lost(c, "recv: %s", strerror(errno));
			return;
		}
		w->now = now_ns();
		w->nrd++;
		c->part_len = 0;
		u8 *p = base, *e = base + have + r;
		if (direct && have + (u32)r < c->part_need) { c->part_len = have + (u32)r; if (!full && !hup) return; continue; }
		c->part_need = 0;
		int fd = c->fd;
		u32 gen = c->gen;
		while (e - p >= 2) {
			u32 rl = p[1], hl = 2;
			if (unlikely(rl & 128)) {
				int z = get_var(p + 1, (u32)(e - p - 1), &rl);
				if (z < 0) { conn_lost(c, "malformed packet length from the broker"); w->txn = 0; return; }
				if (!z) break;
				hl = 1 + (u32)z;
			}
			if ((size_t)(e - p) < hl + (size_t)rl) {
				if (hl + rl > 32768) { part_room(c, hl + rl); c->part_need = hl + rl; }
				break;
			}
			w->npkt++;
			handle(w, c, p[0], p + hl, rl);
			p += hl + rl;
			if (unlikely(c->fd != fd || c->gen != gen)) { w->txn = 0; return; }
		}
		u32 left = (u32)(e - p);
		if (left) {
			part_room(c, left);
			memmove(c->part, p, left);
			c->part_len = left;
		}
		after_input(w, c);
		if (c->fd != fd || c->gen != gen) return;
		if (!full && !hup) return;
	}
	if (!c->rdpend) { /* more to read: come back after the others */
		if (w->npend == w->pendcap) {
			w->pendcap = w->pendcap ? w->pendcap * 2 : 256;
			w->pend = xrealloc(w->pend, w->pendcap * sizeof *w->pend);
		}
		c->rdpend = 1;
		w->pend[w->npend++] = c;
	}
}

/* ------------------------------------------------------------- event loop */

static int ep_wait(worker *w, struct epoll_event *ev, int n, u64 ns)
{
#ifdef SYS_epoll_pwait2
	static volatile int no2;
	if (!no2 && ns) {
		struct timespec ts = {(time_t)(ns / NS), (long)(ns % NS)};
		int r = (int)syscall(SYS_epoll_pwait2, w->ep, ev, n, &ts, NULL, 0);
		if (r >= 0 || errno == EINTR) return r;
		no2 = 1;
	}
#endif
	return epoll_wait(w->ep, ev, n, ns < 300000 ? 0 : (int)((ns + 999999) / 1000000));
}

static void on_event(worker *w, conn *c, u32 ev)
{
	if (c->st == ST_DEAD || c->st == ST_IDLE) return;
	if (c->st == ST_TCP) {
		if (!(ev & (EPOLLOUT | EPOLLERR | EPOLLHUP))) return;
		int err = 0;
		socklen_t l = sizeof err;
		getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &err, &l);
		if (err) { conn_lost(c, "connect: %s", strerror(err)); return; }
		c->wr = 1;
		c->st = o.ws ? ST_WS : ST_CONNACK;
		if (o.ws) ws_request(c);
		else send_connect(c);
		if (c->fd < 0) return;
	} else if (ev & EPOLLOUT && !c->wr) {
		c->wr = 1;
		if (c->out_len && conn_flush(c)) return;
		if (c->pub && w->active && c->role == R_PUB) {
			if (can_send(c)) enqueue(w, c);
			else pub_check_done(w, c);
		}
	}
	if (ev & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) conn_read(w, c, ev & (EPOLLRDHUP | EPOLLHUP | EPOLLERR));
}

static void keepalive(worker *w)
{
	u64 lim = (u64)((double)o.ka * 0.7 * 1e9);
	for (u32 i = 0; i < w->nall; i++) {
		conn *c = w->all[i];
		if (o.ka && c->st == ST_UP && w->now - c->last_tx > lim) {
			send_ping(c);
		} else if ((c->st == ST_TCP || c->st == ST_WS || c->st == ST_CONNACK || c->st == ST_SUBACK) &&
			   w->now > c->t_start + (u64)o.connect_ms * 1000000) {
			conn_lost(c, "no progress for %d ms", o.connect_ms);
		} else if (c->st == ST_CLOSING && w->now > c->t_start + 2 * NS) {
			if (c->role == R_CHURN) g.churn_noclose++;
			conn_lost(c, "not closed");
		} else if (c->role == R_CHURN && c->st == ST_UP && w->now > c->t_start + (u64)o.idle_ms * 1000000) {
			g.churn_lost++;
			conn_lost(c, "session stuck: %s", c->got ? "handshake not finished" : "own message not received");
		}
	}
}

static void rate_schedule(worker *w)
{
	if (!w->npubs) return;
	for (;;) {
		u64 l = w->rl_next;
		conn *c = w->pubs[l % w->npubs];
		double gi = (double)(l / w->npubs) * o.P + c->idx;
		u64 due = g.t0 + (u64)(gi * 1e9 / o.rate);
		if (due > w->now || (g.t_end && due >= g.t_end)) { w->next_due = due; return; }
		c->pub->due++;
		w->rl_next++;
		if (can_send(c)) enqueue(w, c);
	}
}

/* How much may be published before the subscribers have seen more (--max-lag). */
static void lag_room(worker *w)
{
	u64 sent = 0, rx = g.lag_lost, last = 0, was = w->room;
	for (u32 i = 0; i < o.threads; i++) {
		const cnt *k = &g.w[i].k;
		sent += __atomic_load_n(&k->sent, __ATOMIC_RELAXED);
		rx += __atomic_load_n(&k->rx, __ATOMIC_RELAXED);
		u64 t = __atomic_load_n(&k->last_rx, __ATOMIC_RELAXED);
		if (t > last) last = t;
	}
	u64 need = sent * g.fan, out = need > rx ? need - rx : 0;
	if (out >= o.lag && !w->id && !o.q && last && w->now > last + 300000000) {
		g.lag_lost += out; /* nothing came for long: these are lost, go on */
		g.lag_resets++;
		out = 0;
	}
	w->room = out < o.lag ? ((o.lag - out) / g.fan + o.threads - 1) / o.threads : 0;
	if (!w->room && out < o.lag) w->room = 1;
	if (w->room && !was)
		for (u32 i = 0; i < w->npubs; i++)
			if (can_send(w->pubs[i])) enqueue(w, w->pubs[i]);
}

static void loop_once(worker *w, u64 max_ns)
{
	struct epoll_event ev[512];
	u64 to = max_ns;
	if (w->rqh || w->npend || o.spin) to = 0;
	else if (w->active && o.rate > 0 && !g.stop && w->npubs) {
		u64 t = now_ns(), d = w->next_due > t ? w->next_due - t : 0;
		if (d < to) to = d;
	}
	w->npkt = w->nrd = 0;
	int n = ep_wait(w, ev, 512, to);
	w->now = now_ns();
	for (int i = 0; i < n; i++) on_event(w, ev[i].data.ptr, ev[i].events);
	if (w->npend) {
		u32 k = w->npend;
		for (u32 i = 0; i < k; i++) {
			conn *c = w->pend[i];
			if (!c->rdpend) continue;
			c->rdpend = 0;
			conn_read(w, c, false);
		}
		memmove(w->pend, w->pend + k, (w->npend - k) * sizeof *w->pend);
		w->npend -= k;
	}
	if (w->active) {
		if (o.lag && !g.stop) lag_room(w);
		if (o.rate > 0 && !g.stop) rate_schedule(w);
		if (g.stop && !w->stop_seen) {
			w->stop_seen = true;
			for (u32 i = 0; i < w->npubs; i++) pub_check_done(w, w->pubs[i]);
		}
		i64 budget = PUMP_BUDGET;
		while (w->rqh && budget > 0) {
			conn *c = w->rqh;
			w->rqh = c->qnext;
			if (!w->rqh) w->rqt = NULL;
			c->inq = 0;
			budget -= 1;
			if (c->st == ST_UP) budget -= pump(w, c, 0);
		}
	}
	/* The reads brought little each, and the broker has plenty to go on with: let it get on
	 * for a moment rather than be woken for every single packet. */
	if (o.coalesce && w->npkt && w->npkt < 4 * w->nrd && w->npkt < 1024 && !w->rqh && !w->npend &&
	    (w->calm || (w->active && (!o.q || w->k.sent - w->k.acked - w->k.nack >= 32)))) {
		struct timespec ts = {0, o.coalesce * 1000};
		nanosleep(&ts, NULL);
	}
	if (w->now - w->last_tick > 250000000) { w->last_tick = w->now; keepalive(w); }
}

/* ------------------------------------------------------- opening, closing */

static void on_up(worker *w, conn *c)
{
	c->st = ST_UP;
	if (c->opening) {
		c->opening = 0;
		w->opinfl--;
		w->opup++;
		w->op_last = w->now;
		if (o.scen == SC_CONN) h_add(w->h1, w->now - c->t_start);
	}
	if (c->role == R_CHURN) churn_step(w, c);
}
static void open_begin(worker *w, conn **l, u32 n)
{
	w->opl = l; w->opn = n; w->opnext = w->opinfl = w->opup = w->opfail = 0;
	w->op_last = now_ns();
}
static void open_more(worker *w)
{
	while (w->opnext < w->opn && w->opinfl < o.W) {
		conn *c = w->opl[w->opnext++];
		c->opening = 1;
		w->opinfl++;
		conn_start(w, c);
	}
}
/* Opens all; returns the number that failed. */
static u32 open_all(worker *w, conn **l, u32 n)
{
	open_begin(w, l, n);
	while (w->opup + w->opfail < n && !g.intr) {
		open_more(w);
		loop_once(w, 20000000);
	}
	return n - w->opup;
}
static void close_all(worker *w, conn **l, u32 n)
{
	w->active = false;
	w->now = now_ns();
	for (u32 i = 0; i < n; i++) {
		conn *c = l[i];
		int left = 0;
		if (c->fd >= 0 && !ioctl(c->fd, FIONREAD, &left) && left > 0 && !g.intr && !g.truncated && !g.stalled)
			problem("%s %u: %d bytes left unread at the end, which should not be", rolename(c), c->idx, left);
		if (c->st == ST_UP) send_disconnect(w, c);
		else if (c->st != ST_CLOSING) {
			if (c->st != ST_IDLE && c->st != ST_DEAD) { conn_close(c, 1); c->st = ST_IDLE; }
		}
		/* on large lists keep the read side going */
		if ((i & 1023) == 1023) loop_once(w, 0);
	}
	u64 t = now_ns();
	while (w->nclosing && now_ns() - t < 4 * NS) loop_once(w, 20000000);
	for (u32 i = 0; i < n; i++)
		if (l[i]->fd >= 0) { conn_close(l[i], 1); l[i]->st = ST_IDLE; }
}
static void run_for(worker *w, u64 ns)
{
	u64 e = now_ns() + ns;
	for (;;) {
		u64 t = now_ns();
		if (t >= e || g.intr) return;
		loop_once(w, e - t < 20000000 ? e - t : 20000000);
	}
}

/* ------------------------------------------------------------- accounting */

static void cnt_sum(cnt *t)
{
	memset(t, 0, sizeof *t);
	for (u32 i = 0; i < o.threads; i++) {
		const cnt *k = &g.w[i].k;
#define A(f) t->f += __atomic_load_n(&k->f, __ATOMIC_RELAXED)
		A(sent); A(acked); A(rx); A(rxbytes); A(dup_ok); A(dup_bad); A(reorder); A(bad); A(foreign); A(nack); A(bad_ack);
		A(redeliv); A(q2viol); A(qosdiff); A(noretain); A(unacked); A(pings); A(pongs); A(disc); A(q2open); A(pubs_done);
#undef A
		if (k->last_rx > t->last_rx) t->last_rx = k->last_rx;
		if (k->last_ev > t->last_ev) t->last_ev = k->last_ev;
		if (k->last_pub > t->last_pub) t->last_pub = k->last_pub;
		if (k->first_rx && (!t->first_rx || k->first_rx < t->first_rx)) t->first_rx = k->first_rx;
	}
}
static u32 qmin(void)
{
	u32 q = 2;
	for (u32 i = 0; i < o.threads; i++)
		if (g.w[i].qmin < q) q = g.w[i].qmin;
	return q;
}
static u64 uniq(const cnt *k) { return k->rx - k->dup_ok - k->dup_bad - k->bad - k->foreign; }

/*
 * Decides whether a drain is over. `floor` is the time from which silence counts.
 * The end snapshot is taken once things have been quiet for 50 ms and taken anew if
 * anything moves again, so that neither the idle wait nor a missing tail distorts it.
 */
static bool drained(const cnt *t, u64 expect, u64 floor, u64 now)
{
	u64 last = t->last_ev > floor ? t->last_ev : floor;
	bool all = uniq(t) >= expect && t->q2open <= 0;
	g.last_all = t->last_ev;
	if (g.have_end && g.end_ev != last) g.have_end = false;
	if (!g.have_end && now > last + 50000000) { snap_take(&g.s1); g.have_end = true; g.end_ev = last; }
	if (now > g.t_drain + (u64)(o.drain_max * 1e9) && !all) {
		g.truncated = true;
		snap_take(&g.s1);
		return true;
	}
	if (g.intr > 1) {
		if (!all) g.truncated = true;
		if (!g.have_end || !all) snap_take(&g.s1);
		return true;
	}
	if (!g.have_end) return false;
	return now > last + (u64)(all ? o.settle_ms : o.idle_ms) * 1000000;
}

static void interval_report(u64 now)
{
	if (o.interval <= 0 || now < g.next_iv) return;
	cnt t;
	cnt_sum(&t);
	double s = (double)(now - g.t_iv) / 1e9;
	fprintf(stderr, "mqttload: %7.2f s  sent %9.0f/s  received %9.0f/s\n", (double)(now - g.t0) / 1e9, (double)(t.sent - g.iv.sent) / s, (double)(t.rx - g.iv.rx) / s);
	g.iv = t;
	g.t_iv = now;
	g.next_iv = now + (u64)(o.interval * 1e9);
}

/* Worker 0 steers the phases of the flow scenarios. */
static void coordinate(worker *w)
{
	u64 now = w->now;
	cnt t;
	if (!g.meas && now >= g.t_warm) { snap_take(&g.s0); cnt_sum(&g.c0); g.t_warm = g.s0.t; g.meas = true; }
	interval_report(now);
	cnt_sum(&t);
	if (g.phase == PH_RUN) {
		if (!g.stop && (g.intr || (g.t_end && now >= g.t_end))) { g.t_stop = now; g.stop = 1; }
		if (t.pubs_done >= o.P || g.intr > 1) { g.phase = PH_DRAIN; g.t_drain = now; }
		else if ((g.stop || o.rate <= 0 || g.t_end) ? now > g.t_end : (double)(now - g.t0) / 1e9 > (double)o.count / o.rate) {
			u64 last = t.last_ev > g.t_stop ? t.last_ev : g.t_stop;
			if (last < g.t0) last = g.t0;
			u64 lim = (u64)o.idle_ms * 1000000;
			if (!o.q && lim < 10 * NS) lim = 10 * NS; /* a slow broker may still be reading */
			if (now > last + lim) {
				problem("publishers stalled: %u of %u not finished, nothing moved for %d ms", o.P - t.pubs_done, o.P, (int)(lim / 1000000));
				g.stalled = true;
				g.stop = 1;
				snap_take(&g.s1);
				g.phase = PH_END;
			}
		}
	}
	if (g.phase == PH_DRAIN && drained(&t, (t.sent - t.nack) * g.fan, g.t_drain, now)) g.phase = PH_END;
}

/* ------------------------------------------------------------------- JSON */

static char jb[16384];
static size_t jn;
static void J(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(jb + jn, sizeof jb - jn, fmt, ap);
	va_end(ap);
	if (n > 0 && jn + (size_t)n < sizeof jb) jn += (size_t)n;
}
static void jstr(const char *k, const char *s)
{
	J("\"%s\":\"", k);
	for (; *s && jn < sizeof jb - 10; s++) {
		if (*s == '"' || *s == '\\') J("\\%c", *s);
		else if ((u8)*s < 32) J(" ");
		else J("%c", *s);
	}
	J("\",");
}
static void j_config(void)
{
	J("{");
	jstr("tool", "mqttload " VERSION);
	jstr("scenario", o.name);
	if (o.label) jstr("label", o.label);
	J("\"mqtt\":\"%s\",\"qos_pub\":%d,\"qos_sub\":%d,\"payload\":%u,", o.ver == 5 ? "5.0" : "3.1.1", o.q, o.Q, o.size);
	if (o.ws) J("\"transport\":\"websocket\",");
	if (o.uprops) J("\"user_properties\":%u,", o.uprops);
	if (o.alias) J("\"topic_alias\":true,");
}
static void j_lat(const char *k, const hist *h)
{
	if (!h->n) return;
	J("\"%s\":{\"n\":%" PRIu64 ",\"min\":%.1f,\"mean\":%.1f,\"p50\":%.1f,\"p90\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"max\":%.1f},", k, h->n,
	  (double)h->min / 1e3, h->sum / (double)h->n / 1e3, h_pct(h, .5) / 1e3, h_pct(h, .9) / 1e3, h_pct(h, .99) / 1e3, h_pct(h, .999) / 1e3, (double)h->max / 1e3);
}
static double jdiv(double a, double b) { return b > 0 ? a / b : 0; }
/* CPU of the broker and of this process between two snapshots. `n` items of kind `item`. */
static void j_cpu(const char *pre, const snap *a, const snap *b, double n, const char *item, double secs)
{
	double cpu = b->cpu - a->cpu, gen = b->gen - a->gen, other = b->busy - a->busy - cpu - gen;
	long peak = b->hwm;
	if (peak < a->rss) peak = a->rss; /* the kernel's own counters are not exact */
	if (peak < b->rss) peak = b->rss;
	if (o.npids && b->gone) J("\"%sbroker_gone\":%d,", pre, b->gone);
	else if (o.npids) {
		J("\"%sbroker_cpu_s\":%.4f,\"%sbroker_user_s\":%.2f,\"%sbroker_sys_s\":%.2f,\"%scpu_us_per_%s\":%.4f,\"%sbroker_cores\":%.3f,", pre, cpu, pre,
		  b->usr - a->usr, pre, b->sys - a->sys, pre, item, jdiv(cpu * 1e6, n), pre, jdiv(cpu, secs));
		J("\"%srss_start_kb\":%ld,\"%srss_peak_kb\":%ld,\"%srss_end_kb\":%ld,", pre, a->rss, pre, peak, pre, b->rss);
	}
	J("\"%sgen_cpu_s\":%.4f,\"%sgen_us_per_%s\":%.4f,\"%sgen_load\":%.3f,\"%sother_cpu_s\":%.2f,\"%ssteal_s\":%.2f,", pre, gen, pre, item,
	  jdiv(gen * 1e6, n), pre, jdiv(gen, secs), pre, other > 0 ? other : 0, pre, b->steal - a->steal);
}
static int violations(const cnt *k, i64 lost, int effq)
{
	i64 allow = (i64)((k->unacked + k->nack) * g.fan);
	if (g.truncated || g.stalled) allow = INT64_MAX; /* cut off: what is missing may only be late */
	return (effq > 0 && lost > allow) || k->dup_bad || k->reorder || k->bad || k->q2viol || (effq != 1 && k->dup_ok) || k->noretain || k->qosdiff;
}
static void j_counts(const cnt *k, u64 expect, i64 *lost_out)
{
	i64 lost = (i64)expect - (i64)uniq(k);
	if (k->q2open > 0 && !g.truncated && !k->disc) problem("the broker did not finish %" PRId64 " QoS 2 handshakes", k->q2open);
	J("\"sent\":%" PRIu64 ",\"acked\":%" PRIu64 ",\"expected\":%" PRIu64 ",\"received\":%" PRIu64 ",\"lost\":%" PRId64 ",\"dup\":%" PRIu64 ",\"dup_unflagged\":%" PRIu64 ",\"reorder\":%" PRIu64 ",", k->sent, k->acked,
	  expect, k->rx, lost, k->dup_ok + k->dup_bad, k->dup_bad, k->reorder);
	J("\"bad\":%" PRIu64 ",\"foreign\":%" PRIu64 ",\"redelivered\":%" PRIu64 ",\"nacked\":%" PRIu64 ",\"bad_acks\":%" PRIu64 ",\"qos2_open\":%" PRId64 ",\"qos_mismatch\":%" PRIu64 ",", k->bad, k->foreign, k->redeliv, k->nack,
	  k->bad_ack, k->q2open, k->qosdiff);
	if (k->q2viol) J("\"qos2_id_reuse\":%" PRIu64 ",", k->q2viol);
	*lost_out = lost;
}
/* Ends the line, prints it and gives the exit code. */
static int j_end(int viol, const cnt *k)
{
	int code = viol ? 1 : (k->disc || g.stalled || g.truncated || g.nfail) ? 2 : 0;
	J("\"disconnects\":%" PRIu64 ",", k->disc);
	if (g.stalled) J("\"stalled\":true,");
	if (g.truncated) J("\"truncated\":true,");
	if (g.why[0]) jstr("problem", g.why);
	J("\"exit\":%d}", code);
	puts(jb);
	fflush(stdout);
	return code;
}
static void busy_note(const snap *a, const snap *b, double secs)
{
	if (!o.spin && secs > 0.2 && (b->gen - a->gen) / secs > 0.93 * o.threads)
		note("the generator was busy all the time: it may have been the bottleneck");
}
static void explain_losses(u64 lost)
{
	if (!lost || !g.rx) return;
	u64 *sent = xcalloc(g.streams, sizeof *sent);
	for (u32 t = 0; t < o.threads; t++)
		for (u32 j = 0; j < g.w[t].npubs; j++) {
			const conn *c = g.w[t].pubs[j];
			for (u32 k = 0; k < o.topics; k++)
				if (c->idx * o.topics + k < g.streams) sent[c->idx * o.topics + k] = (c->pub->sent + o.topics - 1 - k) / o.topics;
		}
	u32 shown = 0;
	for (u32 i = 0; i < o.S && shown < 5; i++)
		for (u32 s = 0; s < g.streams && shown < 5; s++) {
			bool one = o.shape == SH_PAIR || o.shape == SH_OWN;
			if (o.shape == SH_PAIR && s / o.topics != i) continue;
			if (o.shape == SH_OWN && topic_id(s) != i) continue;
			rxs *r = one ? &g.rx[s] : &g.rx[(size_t)i * g.streams + s];
			u64 miss = 0, first = UINT64_MAX;
			if (r->an) {
				anom *a = &g.w[i % o.threads].an[r->an - 1];
				for (u32 b = 0; a->base + b < r->next; b++)
					if (!(a->bits[b >> 6] >> (b & 63) & 1)) {
						miss++;
						if (first == UINT64_MAX) first = a->base + b;
					}
			}
			if (sent[s] > r->next) { miss += sent[s] - r->next; if (first == UINT64_MAX) first = r->next; }
			if (!miss) continue;
			shown++;
			note("subscriber %u misses %" PRIu64 " of %" PRIu64 " on stream %u, the first is seq %" PRIu64 "; last seen seq %d", i, miss, sent[s], s, first, (int)r->next - 1);
		}
	free(sent);
}

/* ---------------------------------------------------------- setup of flows */

static conn *conn_new(worker *w, u8 role, u32 idx, u32 cid)
{
	conn *c = xcalloc(1, sizeof *c);
	c->fd = -1;
	c->role = role;
	c->idx = idx;
	c->cid = cid;
	c->w = w;
	w->all = xrealloc(w->all, (w->nall + 1) * sizeof *w->all);
	w->all[w->nall++] = c;
	return c;
}
static void add_sub(worker *w, u32 i)
{
	conn *c = conn_new(w, R_SUB, i, o.P + i);
	sub_t *s = c->sub = xcalloc(1, sizeof *s);
	s->granted = 2;
	s->filter = FL_EXACT;
	if (o.shape == SH_FANIN) {
		s->filter = (u8)o.filter;
		s->f_cnt = o.filter == FL_EXACT ? g.streams : 1;
	} else if (o.shape == SH_FANOUT) s->f_cnt = o.topics;
	else if (o.shape == SH_PAIR) { s->f_first = i * o.topics; s->f_cnt = o.topics; }
	else { s->f_first = i; s->f_cnt = 1; }
	w->subs = xrealloc(w->subs, (w->nsubs + 1) * sizeof *w->subs);
	w->subs[w->nsubs++] = c;
}
static void add_pub(worker *w, u32 i, u64 limit)
{
	conn *c = conn_new(w, R_PUB, i, i);
	c->pub = pub_new(i);
	c->pub->limit = limit;
	w->pubs = xrealloc(w->pubs, (w->npubs + 1) * sizeof *w->pubs);
	w->pubs[w->npubs++] = c;
}
static void worker_init(worker *w, int id)
{
	w->id = id;
	w->ep = epoll_create1(EPOLL_CLOEXEC);
	if (w->ep < 0) usage_err("epoll_create1: %s", strerror(errno));
	w->rb = xmalloc(RBUF + 64);
	w->tx = xmalloc(ACKROOM + (size_t)o.batch + 2 * ((size_t)o.size + 1024));
	w->h1 = xcalloc(1, sizeof(hist));
	w->h2 = xcalloc(1, sizeof(hist));
	w->now = now_ns();
	w->qmin = 2;
	w->mask = (g.run ^ (u32)id * 2654435761u) | 1;
}
static void streams_init(u32 n)
{
	g.streams = n;
	size_t cells = o.shape == SH_PAIR || o.shape == SH_OWN ? n : (size_t)n * o.S;
	if (n > 99999999u) usage_err("too many topics");
	if (cells > 400000000u) usage_err("too many (subscriber, topic) pairs to verify: %zu", cells);
	g.rx = xcalloc(cells, sizeof *g.rx);
}
static void finish_subs_v4(worker *w)
{
	if (o.clean || o.ver == 5 || o.keep) return;
	/* Persistent sessions of MQTT 3.1.1 go away by a clean connect. */
	o.clean = 1;
	for (u32 i = 0; i < w->nsubs; i++) w->subs[i]->sub->nosub = 1;
	open_all(w, w->subs, w->nsubs);
	close_all(w, w->subs, w->nsubs);
}

static void *flow_worker(void *arg)
{
	worker *w = arg;
	bool mt = o.threads > 1;
#define BAR() do { if (mt) pthread_barrier_wait(&g.bar); } while (0)
	u32 f = open_all(w, w->subs, w->nsubs);
	if (f) g.fatal = 1;
	BAR();
	if (!g.fatal) f = open_all(w, w->pubs, w->npubs);
	if (f) g.fatal = 1;
	BAR();
	if (!g.fatal) {
		run_for(w, 200000000);
		BAR();
		if (!w->id) {
			if (o.maxrss) reset_peak();
			g.t0 = now_ns();
			g.t_warm = g.t0 + (u64)(o.warm * 1e9);
			if (o.warm <= 0) { snap_take(&g.s0); g.t0 = g.t_warm = g.s0.t = now_ns(); g.meas = true; }
			g.t_end = o.dur > 0 ? g.t0 + (u64)((o.warm + o.dur) * 1e9) : 0;
			g.t_iv = g.t0;
			g.next_iv = g.t0 + (u64)(o.interval * 1e9);
		}
		BAR();
		w->now = now_ns();
		w->active = true;
		w->next_due = g.t0;
		if (o.rate <= 0)
			for (u32 i = 0; i < w->npubs; i++) enqueue(w, w->pubs[i]);
		for (u32 i = 0; i < w->npubs; i++) pub_check_done(w, w->pubs[i]); /* those with nothing to send */
		u64 ct = 0;
		while (g.phase != PH_END) {
			loop_once(w, 2000000);
			if (!w->id && w->now - ct > 1000000) { ct = w->now; coordinate(w); }
		}
		BAR();
		if (!w->id) cnt_sum(&g.kend); /* what comes while closing does not count */
		BAR();
	}
	close_all(w, w->all, w->nall);
	BAR();
	return NULL;
}

static int sc_flow(void)
{
	if (o.shape == SH_PAIR) o.S = o.P;
	if (o.shape == SH_FANOUT) g.tmod = o.topics;
	streams_init(o.P * o.topics);
	g.fan = o.shape == SH_PAIR ? 1 : o.S;
	for (u32 i = 0; i < o.S; i++) add_sub(&g.w[i % o.threads], i);
	for (u32 i = 0; i < o.P; i++) {
		u64 lim = o.count ? o.count / o.P + (i < o.count % o.P) : UINT64_MAX;
		add_pub(&g.w[o.threads - 1 - i % o.threads], i, lim);
	}
	for (u32 i = 1; i < o.threads; i++) pthread_create(&g.w[i].th, NULL, flow_worker, &g.w[i]);
	flow_worker(&g.w[0]);
	for (u32 i = 1; i < o.threads; i++) pthread_join(g.w[i].th, NULL);
	cnt k = g.kend;
	if (g.fatal) cnt_sum(&k);
	j_config();
	J("\"publishers\":%u,\"subscribers\":%u,\"topics\":%u,\"window\":%u,", o.P, o.S, o.shape == SH_FANOUT ? o.topics : g.streams, o.q ? o.window : 0);
	J("\"coalesce_us\":%d,", o.coalesce);
	if (o.rate > 0) J("\"rate\":%.0f,", o.rate);
	if (o.threads > 1) J("\"threads\":%u,", o.threads);
	if (g.fatal) { g.nfail = 1; return j_end(0, &k); }
	if (!g.meas) { g.s0 = g.s1; g.c0 = k; }
	u64 expect = k.sent * g.fan;
	int effq = o.q < (int)qmin() ? o.q : (int)qmin();
	i64 lost;
	double rxm = (double)(uniq(&k) - uniq(&g.c0)), txm = (double)(k.sent - g.c0.sent);
	double secs = k.last_rx > g.s0.t ? (double)(k.last_rx - g.s0.t) / 1e9 : 0;
	double psecs = k.last_pub > g.s0.t ? (double)(k.last_pub - g.s0.t) / 1e9 : 0;
	double csecs = g.last_all > g.s0.t ? (double)(g.last_all - g.s0.t) / 1e9 : 0;
	if (effq == 2) secs = csecs;
	j_counts(&k, expect, &lost);
	J("\"qos_granted\":%u,", qmin());
	if (o.lag) J("\"max_lag\":%" PRIu64 ",\"lag_resets\":%u,", o.lag, g.lag_resets);
	J("\"seconds\":%.4f,\"msgs_per_s\":%.0f,\"complete_seconds\":%.4f,\"publish_seconds\":%.4f,\"publish_per_s\":%.0f,\"mb_per_s\":%.2f,", secs, jdiv(rxm, secs), csecs, psecs, jdiv(txm, psecs), jdiv(rxm * o.size / 1e6, secs));
	hist *h1 = xcalloc(1, sizeof *h1), *h2 = xcalloc(1, sizeof *h2);
	for (u32 i = 0; i < o.threads; i++) { h_merge(h1, g.w[i].h1); h_merge(h2, g.w[i].h2); }
	j_lat("lat_us", h1);
	j_lat("lat_sched_us", h2);
	j_cpu("", &g.s0, &g.s1, rxm, "msg", csecs > psecs ? csecs : psecs);
	if (o.npids && g.fan != 1) J("\"cpu_us_per_pub\":%.4f,", jdiv((g.s1.cpu - g.s0.cpu) * 1e6, txm));
	busy_note(&g.s0, &g.s1, csecs > psecs ? csecs : psecs);
	int v = violations(&k, lost, effq);
	if (lost > 0 && (effq > 0 || o.verbose)) explain_losses((u64)lost);
	finish_subs_v4(&g.w[0]);
	return j_end(v, &k);
}

/* ------------------------------------------------------------ conn scenario */

static void on_closed(worker *w, conn *c);

static int sc_conn(void)
{
	worker *w = &g.w[0];
	u32 n = (u32)o.count;
	o.S = n;
	o.shape = SH_OWN;
	g.tmod = n;
	streams_init(n);
	conn **l = xcalloc(n, sizeof *l);
	for (u32 i = 0; i < n; i++) {
		conn *c = l[i] = conn_new(w, R_CONN, i, i);
		if (o.connsub) {
			c->sub = xcalloc(1, sizeof *c->sub);
			c->sub->granted = 2;
			c->sub->filter = FL_EXACT;
			c->sub->f_first = i;
			c->sub->f_cnt = 1;
		}
	}
	snap a, b;
	if (o.maxrss) reset_peak();
	snap_take(&a);
	u64 t0 = now_ns(), prog = t0;
	open_begin(w, l, n);
	while (w->opup + w->opfail < n && !g.intr) {
		open_more(w);
		loop_once(w, 20000000);
		if (o.interval > 0 && w->now - prog > (u64)(o.interval * 1e9)) {
			prog = w->now;
			note("%.1f s: %u up, %u failed, %u in flight", (double)(w->now - t0) / 1e9, w->opup, w->opfail, w->opinfl);
		}
		if (w->opfail > 1000 && !w->opup) break;
	}
	double secs = (double)((w->opup ? w->op_last : now_ns()) - t0) / 1e9;
	u32 up = w->opup;
	run_for(w, 50000000);
	snap_take(&b);
	u64 disc0 = w->k.disc;
	if (o.hold > 0) {
		run_for(w, 250000000);
		snap_take(&g.s0);
		run_for(w, (u64)(o.hold * 1e9));
		snap_take(&g.s1);
	}
	u64 disc1 = w->k.disc;
	u64 pings = w->k.pings, pongs = w->k.pongs;
	u64 tc = now_ns();
	close_all(w, l, n);
	double csecs = (double)(now_ns() - tc) / 1e9;
	j_config();
	J("\"connections\":%u,\"in_flight\":%u,\"sources\":%u,\"subscribe\":%s,\"opened\":%u,\"failed\":%u,", n, o.W, o.nsrc, o.connsub ? "true" : "false", up, n - up);
	J("\"seconds\":%.4f,\"conns_per_s\":%.0f,", secs, jdiv(up, secs));
	j_lat("handshake_us", w->h1);
	j_cpu("", &a, &b, up, "conn", secs);
	busy_note(&a, &b, secs);
	if (o.npids) J("\"rss_per_conn_bytes\":%.0f,", jdiv((double)(b.rss - a.rss) * 1024, up));
	if (o.hold > 0) {
		J("\"hold_seconds\":%.1f,\"dropped_in_hold\":%" PRIu64 ",\"pings\":%" PRIu64 ",\"pongs\":%" PRIu64 ",", o.hold, disc1 - disc0, pings, pongs);
		if (o.npids) J("\"hold_broker_cpu_s\":%.4f,\"hold_broker_cores\":%.4f,\"rss_after_hold_kb\":%ld,", g.s1.cpu - g.s0.cpu, (g.s1.cpu - g.s0.cpu) / o.hold, g.s1.rss);
	}
	J("\"close_seconds\":%.3f,", csecs);
	return j_end(0, &w->k);
}

/* ---------------------------------------------------------- churn scenario */

static void churn_start(worker *w, conn *c)
{
	if (g.stop || g.churn_started >= g.churn_limit) return;
	g.churn_started++;
	c->gen++;
	c->got = 0;
	if (c->sub->q2) memset(c->sub->q2, 0, 8192);
	c->sub->q2open = 0;
	c->sub->granted = 2;
	conn_start(w, c);
}
/* A session of a slot is up, or something arrived on it. */
static void churn_step(worker *w, conn *c)
{
	pub_t *p = c->pub;
	if (c->st != ST_UP) return;
	if (p->sent < p->limit) { /* publish the one message */
		u64 ts = now_ns();
		u8 *b = w->tx + ACKROOM, *e = gen_one(p, c->idx, ts, b);
		w->k.sent++;
		w->k.last_ev = ts;
		conn_send(c, b, (u32)(e - b));
		return;
	}
	if (c->got && !p->inflight && !c->sub->q2open && !c->out_len) send_disconnect(w, c);
}
static void on_closed(worker *w, conn *c)
{
	if (c->role != R_CHURN) return;
	pub_t *p = c->pub;
	if (c->st == ST_IDLE) {
		g.churn_done++;
		w->k.last_rx = w->now;
		h_add(w->h1, w->now - c->t_start);
	} else g.churn_fail++;
	p->limit = p->sent + 1;
	p->inflight = 0;
	if (g.churn_fail > 1000 && g.churn_fail > g.churn_done) g.stop = 1;
	/* restarted from the main loop, so that a dead broker cannot make this recurse */
	c->st = ST_IDLE;
}
static int sc_churn(void)
{
	worker *w = &g.w[0];
	u32 n = o.W;
	o.S = o.P = n;
	o.shape = SH_PAIR;
	o.topics = 1;
	streams_init(n);
	g.fan = 1;
	g.churn_limit = o.count ? o.count : UINT64_MAX;
	conn **l = xcalloc(n, sizeof *l);
	for (u32 i = 0; i < n; i++) {
		conn *c = l[i] = conn_new(w, R_CHURN, i, i);
		c->pub = pub_new(i);
		c->pub->limit = 1;
		c->sub = xcalloc(1, sizeof *c->sub);
		c->sub->granted = 2;
		c->sub->filter = FL_EXACT;
		c->sub->f_first = i;
		c->sub->f_cnt = 1;
	}
	/* reach the broker once before measuring */
	snap a, b;
	if (o.maxrss) reset_peak();
	snap_take(&a);
	u64 t0 = now_ns(), end = o.dur > 0 ? t0 + (u64)(o.dur * 1e9) : UINT64_MAX, iv = t0;
	u64 ivn = 0;
	for (;;) {
		u32 live = 0, started = 0;
		u64 t = now_ns();
		if (t >= end || g.intr) g.stop = 1;
		for (u32 i = 0; i < n; i++) {
			if (l[i]->st == ST_IDLE || l[i]->st == ST_DEAD) { churn_start(w, l[i]); started++; }
			if (l[i]->st != ST_IDLE && l[i]->st != ST_DEAD) live++;
		}
		if (!live && (g.stop || g.churn_started >= g.churn_limit)) break;
		loop_once(w, 5000000);
		if (o.interval > 0 && w->now - iv > (u64)(o.interval * 1e9)) {
			note("%.1f s: %.0f sessions/s", (double)(w->now - t0) / 1e9, (double)(g.churn_done - ivn) * 1e9 / (double)(w->now - iv));
			iv = w->now;
			ivn = g.churn_done;
		}
	}
	u64 tl = w->k.last_rx > t0 ? w->k.last_rx : now_ns();
	run_for(w, 50000000);
	snap_take(&b);
	double secs = (double)(tl - t0) / 1e9;
	cnt *k = &w->k;
	j_config();
	J("\"slots\":%u,\"sources\":%u,\"sessions\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"stuck\":%" PRIu64 ",\"not_closed_by_broker\":%" PRIu64 ",", n, o.nsrc, g.churn_done, g.churn_fail, g.churn_lost, g.churn_noclose);
	i64 lost;
	j_counts(k, k->sent, &lost);
	J("\"seconds\":%.4f,\"sessions_per_s\":%.0f,\"msgs_per_s\":%.0f,", secs, jdiv((double)g.churn_done, secs), jdiv((double)uniq(k), secs));
	j_lat("session_us", w->h1);
	j_cpu("", &a, &b, (double)g.churn_done, "session", secs);
	busy_note(&a, &b, secs);
	int effq = o.q < (int)qmin() ? o.q : (int)qmin();
	return j_end(violations(k, lost, effq), k);
}

/* --------------------------------------------------------- retain scenario */

/* Runs the publishers of worker 0 until all are done; returns false if they stall. */
static bool publish_all(worker *w)
{
	w->active = true;
	w->now = w->k.last_ev = now_ns();
	for (u32 i = 0; i < w->npubs; i++) { enqueue(w, w->pubs[i]); pub_check_done(w, w->pubs[i]); }
	while (w->k.pubs_done < w->npubs) {
		loop_once(w, 5000000);
		interval_report(w->now);
		if (g.t_end && w->now >= g.t_end) g.stop = 1;
		if (g.intr || w->now > w->k.last_ev + (u64)(o.q || o.idle_ms > 10000 ? o.idle_ms : 10000) * 1000000) {
			if (!g.intr) problem("publishers stalled: no progress");
			g.stalled = true;
			return false;
		}
	}
	return true;
}
static void drain_wait(worker *w, u64 expect)
{
	cnt t;
	g.have_end = false;
	g.t_drain = now_ns();
	for (;;) {
		loop_once(w, 2000000);
		interval_report(w->now);
		cnt_sum(&t);
		if (drained(&t, expect, g.t_drain, w->now)) return;
	}
}

static int sc_retain(void)
{
	worker *w = &g.w[0];
	u64 n = o.count;
	if (o.P > n) o.P = (u32)n;
	o.shape = SH_FANIN;
	o.topics = (u32)((n + o.P - 1) / o.P);
	o.retain = 1;
	streams_init((u32)n);
	g.fan = o.S;
	pub_layout();
	for (u32 i = 0; i < o.P; i++) {
		u64 first = (u64)i * o.topics, lim = first >= n ? 0 : n - first < o.topics ? n - first : o.topics;
		add_pub(w, i, lim);
	}
	for (u32 i = 0; i < o.S; i++) { add_sub(w, i); w->subs[i]->sub->nosub = 1; }
	j_config();
	J("\"publishers\":%u,\"subscribers\":%u,\"retained\":%" PRIu64 ",\"window\":%u,", o.P, o.S, n, o.q ? o.window : 0);
	if (open_all(w, w->pubs, w->npubs)) { g.nfail = 1; return j_end(0, &w->k); }
	run_for(w, 200000000);
	snap a, b, c2;
	if (o.maxrss) reset_peak();
	snap_take(&a);
	g.t0 = g.t_iv = now_ns();
	g.next_iv = g.t0 + (u64)(o.interval * 1e9);
	bool ok = publish_all(w);
	u64 tend = ok ? w->k.last_pub : now_ns();
	double ssecs = (double)(tend - g.t0) / 1e9;
	run_for(w, 100000000);
	snap_take(&b);
	close_all(w, w->pubs, w->npubs);
	u64 ts = 0;
	if (ok) {
		if (open_all(w, w->subs, w->nsubs)) g.nfail = 1;
		run_for(w, 100000000);
		snap_take(&c2);
		w->calm = !o.q || !o.Q;
		ts = now_ns();
		w->now = ts;
		for (u32 i = 0; i < w->nsubs; i++)
			if (w->subs[i]->st == ST_UP) { w->subs[i]->st = ST_SUBACK; w->subs[i]->t_start = ts; send_subscribe(w->subs[i]); }
		drain_wait(w, n * o.S);
		w->calm = false;
		g.s0 = c2;
	}
	cnt k;
	cnt_sum(&k);
	close_all(w, w->subs, w->nsubs);
	u64 expect = k.sent * o.S;
	int effq = o.q < (int)qmin() ? o.q : (int)qmin();
	u64 tl = effq == 2 ? g.last_all : k.last_rx;
	double secs = tl > ts && ts ? (double)(tl - ts) / 1e9 : 0;
	i64 lost;
	j_counts(&k, expect, &lost);
	if (k.noretain) J("\"retain_flag_missing\":%" PRIu64 ",", k.noretain);
	J("\"store_seconds\":%.4f,\"publish_per_s\":%.0f,", ssecs, jdiv((double)k.sent, ssecs));
	j_cpu("store_", &a, &b, (double)k.sent, "msg", ssecs);
	if (o.npids) J("\"rss_per_retained_bytes\":%.0f,", jdiv((double)(b.rss - a.rss) * 1024, (double)k.sent));
	J("\"first_ms\":%.3f,\"seconds\":%.4f,\"msgs_per_s\":%.0f,", k.first_rx > ts ? (double)(k.first_rx - ts) / 1e6 : 0, secs, jdiv((double)uniq(&k), secs));
	j_cpu("", &g.s0, &g.s1, (double)uniq(&k), "msg", secs);
	int v = violations(&k, lost, effq) || (lost > 0 && !g.truncated && !g.stalled);
	if (lost > 0) explain_losses((u64)lost);
	if (!o.keep) { /* clear what was retained */
		g.clear = true;
		g.stop = 0;
		w->stop_seen = false;
		pub_layout();
		w->k.pubs_done = 0;
		for (u32 i = 0; i < w->npubs; i++) {
			pub_t *p = w->pubs[i]->pub;
			p->sent = 0; p->t = 0; p->seq = 0; p->done = p->dead = p->fenced = 0;
			pub_template(p, topic_id(i * o.topics));
			w->pubs[i]->inq = 0;
		}
		w->rqh = w->rqt = NULL;
		if (!open_all(w, w->pubs, w->npubs)) publish_all(w);
		close_all(w, w->pubs, w->npubs);
	}
	return j_end(v, &k);
}

/* -------------------------------------------------------- offline scenario */

static int sc_offline(void)
{
	worker *w = &g.w[0];
	u64 n = o.count;
	int keep = o.keep;
	o.clean = 0;
	o.keep = 1; /* the sessions must survive the first disconnect */
	if (o.own) { o.shape = SH_OWN; o.topics = o.S; g.tmod = o.S; g.fan = 1; }
	else { o.shape = SH_FANIN; g.fan = o.S; }
	streams_init(o.P * o.topics);
	pub_layout();
	for (u32 i = 0; i < o.S; i++) add_sub(w, i);
	for (u32 i = 0; i < o.P; i++) add_pub(w, i, o.dur > 0 ? UINT64_MAX : n / o.P + (i < n % o.P));
	j_config();
	J("\"publishers\":%u,\"sessions\":%u,\"layout\":\"%s\",\"window\":%u,", o.P, o.S, o.own ? "own" : "shared", o.window);
	if (open_all(w, w->subs, w->nsubs)) { g.nfail = 1; return j_end(0, &w->k); }
	if (o.abrupt) for (u32 i = 0; i < w->nsubs; i++) { conn_close(w->subs[i], 1); w->subs[i]->st = ST_IDLE; }
	else close_all(w, w->subs, w->nsubs);
	if (open_all(w, w->pubs, w->npubs)) { g.nfail = 1; return j_end(0, &w->k); }
	run_for(w, 200000000);
	snap a, b, c2;
	if (o.maxrss) reset_peak();
	snap_take(&a);
	g.t0 = g.t_iv = now_ns();
	g.next_iv = g.t0 + (u64)(o.interval * 1e9);
	g.t_end = o.dur > 0 ? g.t0 + (u64)(o.dur * 1e9) : 0;
	bool ok = publish_all(w);
	double ssecs = w->k.last_pub > g.t0 ? (double)(w->k.last_pub - g.t0) / 1e9 : 0;
	double queued = (double)w->k.sent * (double)g.fan;
	run_for(w, 50000000);
	snap_take(&b);
	close_all(w, w->pubs, w->npubs);
	run_for(w, 100000000);
	snap_take(&c2);
	u64 ts = now_ns();
	g.sess_present = 0;
	for (u32 i = 0; i < w->nsubs; i++) w->subs[i]->sub->nosub = 1;
	u32 back = o.back && o.back < w->nsubs ? o.back : w->nsubs; /* --return */
	if (back < w->nsubs) o.S = back, g.fan = back;
	cnt k;
	u64 expect = (w->k.sent - w->k.nack) * g.fan;
	open_begin(w, w->subs, back);
	g.have_end = false;
	g.t_drain = ts;
	u64 resumed = 0;
	for (;;) {
		open_more(w);
		loop_once(w, 2000000);
		interval_report(w->now);
		if (!resumed && w->opup + w->opfail == back) resumed = w->now;
		cnt_sum(&k);
		if (!resumed && !g.intr) continue;
		if (drained(&k, expect, ts, w->now)) break;
	}
	u64 present = g.sess_present;
	if (w->opfail) g.nfail = 1;
	if (present < back) problem("only %" PRIu64 " of %u sessions were still there", present, back);
	cnt_sum(&k);
	o.keep = keep;
	close_all(w, w->subs, back);
	finish_subs_v4(w);
	expect = k.sent * g.fan;
	int effq = o.q < (int)qmin() ? o.q : (int)qmin();
	u64 tl = effq == 2 ? g.last_all : k.last_rx;
	double secs = tl > ts ? (double)(tl - ts) / 1e9 : 0;
	i64 lost;
	j_counts(&k, expect, &lost);
	J("\"qos_granted\":%u,\"sessions_back\":%u,\"sessions_present\":%" PRIu64 ",", qmin(), back, present);
	J("\"store_seconds\":%.4f,\"publish_per_s\":%.0f,\"queued_per_s\":%.0f,", ssecs, jdiv((double)k.sent, ssecs), jdiv(queued, ssecs));
	j_cpu("store_", &a, &b, queued, "queued", ssecs);
	if (o.npids) J("\"store_cpu_us_per_pub\":%.4f,", jdiv((b.cpu - a.cpu) * 1e6, (double)k.sent));
	J("\"resume_seconds\":%.4f,\"first_ms\":%.3f,\"seconds\":%.4f,\"msgs_per_s\":%.0f,", resumed > ts ? (double)(resumed - ts) / 1e9 : 0, k.first_rx > ts ? (double)(k.first_rx - ts) / 1e6 : 0, secs, jdiv((double)uniq(&k), secs));
	j_cpu("", &c2, &g.s1, (double)uniq(&k), "msg", secs);
	if (o.npids) J("\"cpu_us_per_msg_total\":%.4f,", jdiv((b.cpu - a.cpu + g.s1.cpu - c2.cpu) * 1e6, (double)uniq(&k)));
	if (lost > 0) explain_losses((u64)lost);
	int v = violations(&k, lost, effq) || !ok;
	return j_end(v, &k);
}

/* -------------------------------------------------------------------- relay
 * A trivial server, not a broker: it forwards every PUBLISH to every subscribed
 * connection without looking at topics. It shows the ceiling of this machine for
 * one hop through TCP, and its --fault options prove that the checks above work.
 */
typedef struct { int fd, ver, q; bool sub, dead; u8 *in; u32 inl, inc; u8 *out; u32 outl, outc; u32 id; } rcl;
static void r_flush(rcl *c, bool all)
{
	u32 off = 0;
	while (off < c->outl) {
		ssize_t r = send(c->fd, c->out + off, c->outl - off, MSG_NOSIGNAL);
		if (r < 0) {
			if (errno != EAGAIN) { c->dead = true; break; }
			if (!all && c->outl - off < (1u << 20)) break;
			struct pollfd p = {c->fd, POLLOUT, 0};
			poll(&p, 1, 100);
			continue;
		}
		off += (u32)r;
	}
	memmove(c->out, c->out + off, c->outl - off);
	c->outl -= off;
}
static void r_put(rcl *c, const u8 *b, u32 n)
{
	if (c->outl + n > c->outc) {
		u32 k = c->outc ? c->outc : 65536;
		while (k < c->outl + n) k *= 2;
		c->out = xrealloc(c->out, k);
		c->outc = k;
	}
	memcpy(c->out + c->outl, b, n);
	c->outl += n;
	if (c->outl > 262144) r_flush(c, false);
}
static void r_forward(rcl *cl, int ncl, const u8 *pkt, u32 n, u32 hl, u8 dup)
{
	u32 q = pkt[0] >> 1 & 3, tl = be16(pkt + hl);
	for (int i = 0; i < ncl; i++) {
		rcl *s = &cl[i];
		if (s->fd < 0 || !s->sub || s->dead) continue;
		u32 nq = q < (u32)s->q ? q : (u32)s->q;
		if (nq == 0 && q == 0) { r_put(s, pkt, n); continue; }
		u8 h[8];
		u32 rl = n - hl - (nq ? 0 : 2);
		h[0] = (u8)(0x30 | nq << 1 | (nq ? dup : 0));
		u8 *e = put_var(h + 1, rl);
		r_put(s, h, (u32)(e - h));
		r_put(s, pkt + hl, 2 + tl);
		if (nq) { u8 b[2]; s->id = s->id % 65535 + 1; put16(b, s->id); r_put(s, b, 2); }
		r_put(s, pkt + hl + 2 + tl + 2, n - hl - 2 - tl - 2);
	}
}
static int sc_relay(void)
{
	int ls = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
	struct sockaddr_in a;
	memset(&a, 0, sizeof a);
	a.sin_family = AF_INET;
	a.sin_port = htons((u16)atoi(o.port));
	a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	if (bind(ls, (struct sockaddr *)&a, sizeof a) || listen(ls, 1024)) usage_err("relay: %s", strerror(errno));
	int ep = epoll_create1(EPOLL_CLOEXEC), ncl = 0, cap = 4096;
	rcl *cl = xcalloc((size_t)cap, sizeof *cl);
	struct epoll_event e = {.events = EPOLLIN, .data.u32 = UINT32_MAX}, ev[256];
	epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
	u64 np = 0, end = o.dur > 0 ? now_ns() + (u64)(o.dur * 1e9) : UINT64_MAX;
	u8 *held = NULL; u32 heldn = 0, heldhl = 0;
	note("relay on 127.0.0.1:%s (not a broker)", o.port);
	while (!g.intr && now_ns() < end) {
		int n = epoll_wait(ep, ev, 256, 200);
		for (int i = 0; i < n; i++) {
			if (ev[i].data.u32 == UINT32_MAX) {
				int fd = accept4(ls, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
				if (fd < 0) continue;
				int k = 0;
				while (k < ncl && cl[k].fd >= 0) k++;
				if (k == cap) { close(fd); continue; }
				if (k == ncl) ncl++;
				rcl z = {.fd = fd, .in = cl[k].in, .inc = cl[k].inc, .out = cl[k].out, .outc = cl[k].outc};
				cl[k] = z;
				setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
				struct epoll_event x = {.events = EPOLLIN, .data.u32 = (u32)k};
				epoll_ctl(ep, EPOLL_CTL_ADD, fd, &x);
				continue;
			}
			rcl *c = &cl[ev[i].data.u32];
			if (c->fd < 0) continue;
			if (c->inc < c->inl + 65536) { c->inc = c->inc ? c->inc * 2 : 262144; c->in = xrealloc(c->in, c->inc); }
			ssize_t r = recv(c->fd, c->in + c->inl, c->inc - c->inl, 0);
			if (r < 0 && errno == EAGAIN) continue;
			if (r <= 0) { close(c->fd); c->fd = -1; continue; }
			c->inl += (u32)r;
			u8 *p = c->in, *pe = p + c->inl;
			bool bye = false;
			while (pe - p >= 2) {
				u32 rl;
				int z = get_var(p + 1, (u32)(pe - p - 1), &rl);
				if (z <= 0 || (size_t)(pe - p) < 1 + (size_t)z + rl) break;
				u32 hl = 1 + (u32)z;
				u8 *b = p + hl;
				u8 rep[16];
				switch (p[0] >> 4) {
				case 1: c->ver = b[6]; r_put(c, c->ver == 5 ? (const u8 *)"\x20\3\0\0\0" : (const u8 *)"\x20\2\0\0", c->ver == 5 ? 5 : 4); break;
				case 8: { /* one answer code per filter */
					u8 codes[256]; u32 nc = 0; u8 *q = b + 2 + (c->ver == 5 ? 1 : 0);
					while (q < b + rl && nc < 200) { q += 2 + be16(q); c->q = *q; codes[nc++] = *q++; }
					u8 *h = rep; *h++ = 0x90; h = put_var(h, 2 + (c->ver == 5 ? 1 : 0) + nc);
					*h++ = b[0]; *h++ = b[1]; if (c->ver == 5) *h++ = 0;
					r_put(c, rep, (u32)(h - rep)); r_put(c, codes, nc); c->sub = true; break; }
				case 12: r_put(c, (const u8 *)"\xd0\0", 2); break;
				case 14: bye = true; break;
				case 5: rep[0] = 0x62; rep[1] = 2; rep[2] = b[0]; rep[3] = b[1]; r_put(c, rep, 4); break;
				case 6: rep[0] = 0x70; rep[1] = 2; rep[2] = b[0]; rep[3] = b[1]; r_put(c, rep, 4); break;
				case 3: {
					u32 q = p[0] >> 1 & 3;
					if (q) { u32 tl = be16(b); rep[0] = q == 1 ? 0x40 : 0x50; rep[1] = 2; rep[2] = b[2 + tl]; rep[3] = b[3 + tl]; r_put(c, rep, 4); }
					np++;
					if (o.fault_swap && np % (u64)o.fault_swap == 0 && !held) {
						heldn = hl + rl; heldhl = hl; held = xmalloc(heldn); memcpy(held, p, heldn);
						break;
					}
					if (!(o.fault_drop && np % (u64)o.fault_drop == 0)) r_forward(cl, ncl, p, hl + rl, hl, 0);
					if (o.fault_dup && np % (u64)o.fault_dup == 0) r_forward(cl, ncl, p, hl + rl, hl, 0);
					if (o.fault_redeliver && np % (u64)o.fault_redeliver == 0) r_forward(cl, ncl, p, hl + rl, hl, 8);
					if (held) { r_forward(cl, ncl, held, heldn, heldhl, 0); free(held); held = NULL; }
					break; }
				}
				p += hl + rl;
			}
			c->inl = (u32)(pe - p);
			memmove(c->in, p, c->inl);
			for (int k = 0; k < ncl; k++) if (cl[k].fd >= 0 && cl[k].outl) r_flush(&cl[k], true);
			if (bye || c->dead) { close(c->fd); c->fd = -1; }
		}
	}
	return 0;
}

/* -------------------------------------------------------------------- main */

static const char *HELP =
"mqttload " VERSION " - MQTT load generator and delivery verifier\n"
"\n"
"usage: mqttload SCENARIO [options]\n"
"\n"
"scenarios\n"
"  fanin    P publishers, a topic each -> S subscribers with a wildcard\n"
"  fanout   P publishers, one topic -> S subscribers\n"
"  pair     P publishers, each with its own topic and its own subscriber\n"
"  latency  as pair (or --shape), at a fixed rate; latency percentiles\n"
"  conn     open N connections, hold them\n"
"  retain   store N retained messages, then fetch them with a wildcard\n"
"  offline  queue N messages for S persistent offline sessions, then drain them\n"
"  churn    connect, subscribe, publish one, receive it, disconnect, again and again\n"
"  relay    a trivial forwarding server to find the ceiling of the machine (not a broker)\n"
"\n"
"target\n"
"  -h, --host HOST        127.0.0.1        -p, --port PORT       1883\n"
"  -V 4|5                 MQTT 3.1.1 (4, default) or 5.0\n"
"      --user U --pass P  credentials\n"
"      --ws[=PATH]        over WebSocket, a frame for each packet; PATH is /mqtt if not given\n"
"amount\n"
"  -n, --count N          messages in all (conn: connections, churn: sessions)\n"
"  -d, --duration SEC     publish for SEC instead (default 5 where no count is given;\n"
"                         offline: 10000 messages)\n"
"      --warmup SEC       leave the first SEC out of all rates and CPU figures\n"
"      --rate R           messages per second over all publishers (default: as fast as TCP\n"
"                         and the window allow; latency: 1000)\n"
"      --max-lag N        publish only while fewer than N deliveries are outstanding (fanin,\n"
"                         fanout, pair, latency); keeps a broker from queueing or dropping\n"
"shape\n"
"  -P, --pubs N           publishers       -S, --subs N          subscribers / sessions\n"
"  -s, --size BYTES       payload, at least 16 (24 for latencies), default 64\n"
"  -q QOS                 publish QoS, default 0 (offline: 1)\n"
"  -Q QOS                 subscription QoS, default as -q\n"
"  -w, --window N         unacknowledged messages per publisher (QoS 1, 2), default 64\n"
"      --topics N         topics per publisher, used in turn, default 1\n"
"      --levels 1|2|4|8   levels the topic number is split into, default 1\n"
"      --prefix STR       first part of all topics, default load/<run>\n"
"      --filter F         fanin: hash (default), plus or exact\n"
"      --shape F          latency: pair (default), fanin or fanout\n"
"      --layout F         offline: shared (default, all sessions get all) or own\n"
"      --retain           set the retain flag in fanin, fanout, pair, latency\n"
"      --burst N          at most N messages per write, default no limit but --batch\n"
"      --batch BYTES      about as many bytes per write at most, default 65536\n"
"  -c, --clean 0|1        clean session of the subscribers, default 1\n"
"  -k, --keepalive SEC    default 60; pings are sent when needed\n"
"      --receive-max N    MQTT 5 Receive Maximum that subscribers announce\n"
"      --user-props N     MQTT 5: N user properties in every PUBLISH, at most 10\n"
"      --alias            MQTT 5: publishers send each topic once and then its alias\n"
"connections\n"
"  -W, --handshakes N     handshakes in flight (churn: concurrent sessions), default 100\n"
"      --hold SEC         conn: hold the connections, default 0\n"
"      --subscribe        conn: each connection also subscribes to a topic of its own\n"
"      --sources N        source addresses 127.0.0.1..N (default: as many as needed)\n"
"      --abrupt           offline: cut the sessions instead of DISCONNECT\n"
"      --return N         offline: only N sessions come back and are checked, default all\n"
"      --keep             leave retained messages / persistent sessions on the broker\n"
"measuring\n"
"      --pid PID          process of the broker, may be repeated\n"
"      --tree             also the living descendants of these\n"
"      --reset-peak       reset the peak RSS of the broker before measuring\n"
"      --latency          latency percentiles in fanin, fanout, pair too\n"
"      --interval SEC     progress on stderr\n"
"      --label STR        copied to the report\n"
"      --idle-ms N        give up on missing messages after so much silence, default 3000\n"
"      --settle-ms N      wait for late duplicates after the last message, default 200\n"
"      --drain-s SEC      longest drain after the publishers ended, default 60\n"
"      --max-s SEC        end the whole run after SEC and report what there is\n"
"      --connect-ms N     longest handshake, default 10000\n"
"generator\n"
"  -t, --threads N        fanin, fanout, pair, latency; default 1\n"
"      --spin             poll without sleeping\n"
"      --coalesce US      while the broker has work queued, pause so long after small reads\n"
"                         instead of being woken for every packet; 0: off; default 50, but 0\n"
"                         with --rate, --latency, a small --max-lag and in latency, conn, churn\n"
"      --sndbuf N         SO_SNDBUF of publishers, default 262144, 0: kernel's choice\n"
"      --rcvbuf N         SO_RCVBUF, default kernel's choice\n"
"  -v, --verbose          tell which streams lost messages at QoS 0 too\n"
"relay only: --fault-drop N, --fault-dup N, --fault-redeliver N (again, with DUP), --fault-swap N\n"
"                         (every Nth message)\n"
"\n"
"Exit: 0 fine; 1 loss, duplicate, disorder or corruption beyond what the QoS allows; 2 usage or connection error.\n";

static void on_signal(int s)
{
	/* SIGINT: stop publishing, then drain as usual. Again, or SIGTERM, SIGALRM: report what there is. */
	g.intr += s == SIGINT ? 1 : 2;
	if (g.intr > 4) _exit(2);
}
static double num(const char *s, const char *what, double lo, double hi)
{
	char *e;
	double v = strtod(s, &e);
	if (e == s || *e || v < lo || v > hi) usage_err("bad value for %s: %s", what, s);
	return v;
}

int main(int argc, char **argv)
{
	static const char *names[] = {"fanin", "fanout", "pair", "latency", "conn", "retain", "offline", "churn", "relay"};
	if (argc < 2 || !strcmp(argv[1], "--help") || !strcmp(argv[1], "help")) { fputs(HELP, argc < 2 ? stderr : stdout); return argc < 2 ? 2 : 0; }
	if (!strcmp(argv[1], "--version")) { puts("mqttload " VERSION); return 0; }
	o.scen = -1;
	for (int i = 0; i < 9; i++) if (!strcmp(argv[1], names[i])) o.scen = i;
	if (o.scen < 0) usage_err("unknown scenario '%s' (try --help)", argv[1]);
	o.name = names[o.scen];
	o.host = "127.0.0.1"; o.port = "1883"; o.ver = 4; o.q = -1; o.Q = -1; o.size = 64; o.window = 64; o.ka = 60; o.topics = 1;
	o.levels = 1; o.W = 100; o.threads = 1; o.clean = 1; o.filter = FL_HASH; o.idle_ms = 3000; o.settle_ms = 200; o.connect_ms = 10000;
	o.sndbuf = 262144; o.batch = BATCH; o.drain_max = 60; o.shape = -1; o.coalesce = -1;
	enum { X_USER = 256, X_PASS, X_WARM, X_RATE, X_TOPICS, X_LEVELS, X_PREFIX, X_FILTER, X_SHAPE, X_LAYOUT, X_RETAIN, X_BURST, X_BATCH, X_RXMAX, X_HOLD, X_SUBS,
	       X_SRC, X_ABRUPT, X_KEEP, X_PID, X_TREE, X_PEAK, X_LAT, X_IV, X_LABEL, X_IDLE, X_SETTLE, X_DRAIN, X_CONN, X_SPIN, X_SND, X_RCV, X_FDROP, X_FDUP, X_FSWAP, X_HELP, X_COAL, X_MAX, X_FRE, X_LAG, X_WS, X_UP, X_ALIAS, X_BACK };
	static const struct option lo[] = {
		{"host", 1, 0, 'h'}, {"port", 1, 0, 'p'}, {"mqtt", 1, 0, 'V'}, {"user", 1, 0, X_USER}, {"pass", 1, 0, X_PASS}, {"count", 1, 0, 'n'}, {"duration", 1, 0, 'd'},
		{"warmup", 1, 0, X_WARM}, {"rate", 1, 0, X_RATE}, {"pubs", 1, 0, 'P'}, {"subs", 1, 0, 'S'}, {"size", 1, 0, 's'}, {"qos", 1, 0, 'q'}, {"sub-qos", 1, 0, 'Q'},
		{"window", 1, 0, 'w'}, {"topics", 1, 0, X_TOPICS}, {"levels", 1, 0, X_LEVELS}, {"prefix", 1, 0, X_PREFIX}, {"filter", 1, 0, X_FILTER}, {"shape", 1, 0, X_SHAPE},
		{"layout", 1, 0, X_LAYOUT}, {"retain", 0, 0, X_RETAIN}, {"burst", 1, 0, X_BURST}, {"batch", 1, 0, X_BATCH}, {"clean", 1, 0, 'c'}, {"keepalive", 1, 0, 'k'},
		{"receive-max", 1, 0, X_RXMAX}, {"handshakes", 1, 0, 'W'}, {"hold", 1, 0, X_HOLD}, {"subscribe", 0, 0, X_SUBS}, {"sources", 1, 0, X_SRC}, {"abrupt", 0, 0, X_ABRUPT},
		{"keep", 0, 0, X_KEEP}, {"pid", 1, 0, X_PID}, {"tree", 0, 0, X_TREE}, {"reset-peak", 0, 0, X_PEAK}, {"latency", 0, 0, X_LAT}, {"interval", 1, 0, X_IV},
		{"label", 1, 0, X_LABEL}, {"idle-ms", 1, 0, X_IDLE}, {"settle-ms", 1, 0, X_SETTLE}, {"drain-s", 1, 0, X_DRAIN}, {"connect-ms", 1, 0, X_CONN}, {"threads", 1, 0, 't'},
		{"spin", 0, 0, X_SPIN}, {"sndbuf", 1, 0, X_SND}, {"rcvbuf", 1, 0, X_RCV}, {"verbose", 0, 0, 'v'}, {"fault-drop", 1, 0, X_FDROP}, {"fault-dup", 1, 0, X_FDUP},
		{"fault-swap", 1, 0, X_FSWAP}, {"help", 0, 0, X_HELP}, {"coalesce", 1, 0, X_COAL}, {"max-lag", 1, 0, X_LAG}, {"fault-redeliver", 1, 0, X_FRE}, {"max-s", 1, 0, X_MAX},
		{"ws", 2, 0, X_WS}, {"user-props", 1, 0, X_UP}, {"alias", 0, 0, X_ALIAS}, {"return", 1, 0, X_BACK}, {0, 0, 0, 0}};
	int c;
	bool sset = false;
	const char *fl;
	while ((c = getopt_long(argc - 1, argv + 1, "h:p:V:n:d:P:S:s:q:Q:w:c:k:W:t:v", lo, NULL)) != -1) switch (c) {
	case 'h': o.host = optarg; break;
	case 'p': o.port = optarg; break;
	case 'V': o.ver = !strcmp(optarg, "4") || !strcmp(optarg, "3.1.1") ? 4 : !strcmp(optarg, "5") || !strcmp(optarg, "5.0") ? 5 : 0; if (!o.ver) usage_err("-V takes 4 or 5"); break;
	case 'n': o.count = (u64)num(optarg, "--count", 1, 4e9); break;
	case 'd': o.dur = num(optarg, "--duration", 0.01, 1e6); break;
	case 'P': o.P = (u32)num(optarg, "--pubs", 1, 1e6); break;
	case 'S': o.S = (u32)num(optarg, "--subs", 0, 1e6); sset = true; break;
	case 's': o.size = (u32)num(optarg, "--size", 16, 200e6); break;
	case 'q': o.q = (int)num(optarg, "-q", 0, 2); break;
	case 'Q': o.Q = (int)num(optarg, "-Q", 0, 2); break;
	case 'w': o.window = (u32)num(optarg, "--window", 1, 65534); break;
	case 'c': o.clean = (int)num(optarg, "--clean", 0, 1); break;
	case 'k': o.ka = (u32)num(optarg, "--keepalive", 0, 65535); break;
	case 'W': o.W = (u32)num(optarg, "--handshakes", 1, 1e5); break;
	case 't': o.threads = (u32)num(optarg, "--threads", 1, 64); break;
	case 'v': o.verbose = 1; break;
	case X_USER: o.user = optarg; break;
	case X_PASS: o.pass = optarg; break;
	case X_WARM: o.warm = num(optarg, "--warmup", 0, 1e6); break;
	case X_RATE: o.rate = num(optarg, "--rate", 0.001, 1e9); break;
	case X_TOPICS: o.topics = (u32)num(optarg, "--topics", 1, 1e6); break;
	case X_LEVELS: o.levels = (u32)num(optarg, "--levels", 1, 8); if (8 % o.levels) usage_err("--levels takes 1, 2, 4 or 8"); break;
	case X_PREFIX: if (strlen(optarg) > 190 || !*optarg || strpbrk(optarg, "#+")) usage_err("bad --prefix"); strcpy(o.prefix, optarg); break;
	case X_FILTER: fl = optarg; o.filter = !strcmp(fl, "hash") ? FL_HASH : !strcmp(fl, "plus") ? FL_PLUS : !strcmp(fl, "exact") ? FL_EXACT : -1; if (o.filter < 0) usage_err("bad --filter"); break;
	case X_SHAPE: fl = optarg; o.shape = !strcmp(fl, "fanin") ? SH_FANIN : !strcmp(fl, "fanout") ? SH_FANOUT : !strcmp(fl, "pair") ? SH_PAIR : -2; if (o.shape < 0) usage_err("bad --shape"); break;
	case X_LAYOUT: o.own = !strcmp(optarg, "own") ? 1 : !strcmp(optarg, "shared") ? 0 : 2; if (o.own == 2) usage_err("bad --layout"); break;
	case X_RETAIN: o.retain = 1; break;
	case X_BURST: o.burst = (u32)num(optarg, "--burst", 1, 1e6); break;
	case X_BATCH: o.batch = (int)num(optarg, "--batch", 1, 16e6); break;
	case X_RXMAX: o.rxmax = (u32)num(optarg, "--receive-max", 1, 65535); break;
	case X_HOLD: o.hold = num(optarg, "--hold", 0, 1e6); break;
	case X_SUBS: o.connsub = 1; break;
	case X_SRC: o.nsrc = (u32)num(optarg, "--sources", 1, 250); break;
	case X_ABRUPT: o.abrupt = 1; break;
	case X_KEEP: o.keep = 1; break;
	case X_PID: if (o.npids < 256) o.pids[o.npids++] = (int)num(optarg, "--pid", 1, 1e9); break;
	case X_TREE: o.tree = 1; break;
	case X_PEAK: o.maxrss = 1; break;
	case X_LAT: o.lat = true; break;
	case X_IV: o.interval = num(optarg, "--interval", 0.05, 1e6); break;
	case X_LABEL: o.label = optarg; break;
	case X_IDLE: o.idle_ms = (int)num(optarg, "--idle-ms", 50, 1e7); break;
	case X_SETTLE: o.settle_ms = (int)num(optarg, "--settle-ms", 50, 1e7); break;
	case X_DRAIN: o.drain_max = num(optarg, "--drain-s", 0.1, 1e6); break;
	case X_CONN: o.connect_ms = (int)num(optarg, "--connect-ms", 10, 1e7); break;
	case X_SPIN: o.spin = 1; break;
	case X_SND: o.sndbuf = (int)num(optarg, "--sndbuf", 0, 1e9); break;
	case X_RCV: o.rcvbuf = (int)num(optarg, "--rcvbuf", 0, 1e9); break;
	case X_FDROP: o.fault_drop = (int)num(optarg, "--fault-drop", 2, 1e9); break;
	case X_FDUP: o.fault_dup = (int)num(optarg, "--fault-dup", 2, 1e9); break;
	case X_FRE: o.fault_redeliver = (int)num(optarg, "--fault-redeliver", 2, 1e9); break;
	case X_LAG: o.lag = (u64)num(optarg, "--max-lag", 1, 1e12); break;
	case X_FSWAP: o.fault_swap = (int)num(optarg, "--fault-swap", 2, 1e9); break;
	case X_MAX: o.max_s = num(optarg, "--max-s", 1, 1e6); break;
	case X_COAL: o.coalesce = (int)num(optarg, "--coalesce", 0, 10000); break;
	case X_WS: o.ws = 1; o.wspath = optarg ? optarg : "/mqtt"; if (*o.wspath != '/' || strlen(o.wspath) > 200) usage_err("bad --ws path"); break;
	case X_UP: o.uprops = (u32)num(optarg, "--user-props", 0, 10); break;
	case X_ALIAS: o.alias = 1; break;
	case X_BACK: o.back = (u32)num(optarg, "--return", 1, 1e6); break;
	case X_HELP: fputs(HELP, stdout); return 0;
	default: return 2;
	}
	if (optind + 1 < argc) usage_err("unexpected argument '%s'", argv[optind + 1]);

	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, on_signal);
	signal(SIGTERM, on_signal);
	signal(SIGALRM, on_signal);
	if (o.max_s > 0) alarm((unsigned)o.max_s);
	prctl(PR_SET_TIMERSLACK, 1, 0, 0, 0);
	pthread_mutex_init(&g.mu, NULL);
	if (o.scen == SC_RELAY) return sc_relay();

	/* defaults that depend on the scenario */
	bool flow = o.scen <= SC_LATENCY;
	if (!flow && o.threads > 1) usage_err("--threads is for fanin, fanout, pair and latency");
	if ((o.uprops || o.alias) && o.ver != 5) usage_err("--user-props and --alias need -V 5");
	if (o.alias && !flow) usage_err("--alias is for fanin, fanout, pair and latency");
	if (o.alias && o.topics > 65535) usage_err("a connection has at most 65535 topic aliases");
	if (o.back && (o.scen != SC_OFFLINE || o.own)) usage_err("--return is for offline with the shared layout");
	if (o.count && o.dur > 0 && (flow || o.scen == SC_CHURN || o.scen == SC_OFFLINE)) usage_err("give --count or --duration, not both");
	if (o.q < 0) o.q = o.scen == SC_OFFLINE ? 1 : 0;
	if (o.Q < 0) o.Q = o.scen == SC_RETAIN && o.q == 0 ? 0 : o.q;
	if (o.scen == SC_OFFLINE && (!o.q || !o.Q)) usage_err("offline needs QoS 1 or 2 on both sides");
	if (!o.P) o.P = o.scen == SC_FANIN ? 10 : o.scen == SC_PAIR ? 10 : 1;
	if (!sset) o.S = o.scen == SC_FANOUT ? 10 : o.scen == SC_OFFLINE ? 10 : 1;
	if (!o.count && (flow || o.scen == SC_CHURN) && o.dur <= 0) o.dur = 5;
	if (!o.count) o.count = o.scen == SC_CONN ? 1000 : o.scen == SC_RETAIN || o.scen == SC_OFFLINE ? 10000 : 0;
	if (o.scen == SC_FANIN) o.shape = SH_FANIN;
	else if (o.scen == SC_FANOUT) o.shape = SH_FANOUT;
	else if (o.scen == SC_PAIR) o.shape = SH_PAIR;
	else if (o.scen == SC_LATENCY) { if (o.shape < 0) o.shape = SH_PAIR; o.lat = true; if (o.rate <= 0) o.rate = 1000; }
	if (o.lag && (!flow || !o.S)) usage_err("--max-lag needs subscribers and fanin, fanout, pair or latency");
	if (!flow) { o.lat = false; o.rate = 0; o.warm = 0; }
	if (o.coalesce < 0) o.coalesce = (flow && !o.lat && o.rate <= 0 && !o.spin && (!o.lag || o.lag >= 256)) || o.scen == SC_RETAIN || o.scen == SC_OFFLINE ? 50 : 0;
	if (o.lat && o.size < 24) usage_err("latencies need a payload of at least 24 bytes");
	if (!o.S && !flow) usage_err("-S 0 is for fanin and fanout");
	if (o.scen == SC_CONN) o.P = 0;
	if (o.own) o.topics = 1;
	for (int i = 0; i < o.npids; i++) {
		unsigned long u, s;
		if (proc_stat(o.pids[i], &u, &s, NULL)) usage_err("no process %d", o.pids[i]);
	}
	if (o.tree) add_tree();

	struct timespec ts;
	clock_gettime(CLOCK_REALTIME, &ts);
	g.run = (u32)ts.tv_nsec * 2654435761u ^ (u32)getpid() * 40503u ^ (u32)ts.tv_sec;
	if (!o.prefix[0]) sprintf(o.prefix, "load/%06x", g.run & 0xffffff);
	topics_init();
	user_props_init();
	pub_layout();
	if (g.full.pkt_rl > 268435455) usage_err("payload too large");
	g.payload = xmalloc(o.size);
	memcpy(g.payload, &g.run, 4);
	for (u32 i = 4; i < o.size; i++) g.payload[i] = (u8)("abcdefghijklmnopqrstuvwxyz0123456789"[(i * 7 + i / 36) % 36]);

	/* address */
	struct addrinfo hi, *ai;
	memset(&hi, 0, sizeof hi);
	hi.ai_socktype = SOCK_STREAM;
	int er = getaddrinfo(o.host, o.port, &hi, &ai);
	if (er) usage_err("%s port %s: %s", o.host, o.port, gai_strerror(er));
	memcpy(&g.addr, ai->ai_addr, ai->ai_addrlen);
	g.alen = ai->ai_addrlen;
	freeaddrinfo(ai);
	g.loop4 = g.addr.ss_family == AF_INET && ntohl(((struct sockaddr_in *)&g.addr)->sin_addr.s_addr) >> 24 == 127;
	u64 conns = o.scen == SC_CONN ? o.count : o.scen == SC_CHURN ? o.W : (u64)o.P + (o.shape == SH_PAIR ? o.P : o.S);
	/* The kernel looks for a free port in half of its range first: beyond some 10000
	 * connections per address that search alone would cost more than the handshake. */
	if (!o.nsrc) o.nsrc = (u32)((conns + 5999) / 6000);
	if (!o.nsrc) o.nsrc = 1;
	if (o.nsrc > 250) o.nsrc = 250;
	if (!g.loop4) o.nsrc = 1;

	/* file descriptors */
	struct rlimit rl;
	u64 need = conns + o.threads + 64;
	getrlimit(RLIMIT_NOFILE, &rl);
	if (rl.rlim_cur < need) {
		rlim_t hard = rl.rlim_max;
		rl.rlim_cur = need;
		if (rl.rlim_max < need) rl.rlim_max = need;
		if (setrlimit(RLIMIT_NOFILE, &rl)) {
			rl.rlim_cur = rl.rlim_max = hard;
			setrlimit(RLIMIT_NOFILE, &rl);
			if (hard < need) usage_err("%" PRIu64 " file descriptors needed, the limit is %" PRIu64, need, (u64)hard);
		}
	}

	g.w = aligned_alloc(64, (sizeof(worker) * o.threads + 63) / 64 * 64);
	if (!g.w) usage_err("out of memory");
	memset(g.w, 0, sizeof(worker) * o.threads);
	for (u32 i = 0; i < o.threads; i++) worker_init(&g.w[i], (int)i);
	pthread_barrier_init(&g.bar, NULL, o.threads);

	switch (o.scen) {
	case SC_CONN: return sc_conn();
	case SC_RETAIN: return sc_retain();
	case SC_OFFLINE: return sc_offline();
	case SC_CHURN: return sc_churn();
	default: return sc_flow();
	}
}
