/* association_impl.hh - what the two halves of the wall to dcmnet share; private to
 * association*.cc. */
#ifndef ASSOCIATION_IMPL_HH
#define ASSOCIATION_IMPL_HH

#include "dcmtk/config/osconfig.h"
#include "dcmtk/dcmdata/dctk.h"
#include "dcmtk/dcmdata/dcostrma.h"
#include "dcmtk/dcmnet/assoc.h"
#include "dcmtk/dcmnet/dcmlayer.h"
#include "dcmtk/dcmnet/dcmtrans.h"
#include "dcmtk/dcmnet/dimse.h"

#include "association.h"
#include "pdu_guard.h"

#include <cerrno>
#include <ctime>
#include <exception>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <new>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

inline double monotonic_s()
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

constexpr double CLOSING_S = 0.5;

/* What the connection watches over; outlives DCMTK's objects. */
struct wire {
	struct association_limits limits;
	struct pdu_guard guard;
	double started_s, stopped_s;
	uint64_t bytes;
	bool requested; /* the A-ASSOCIATE phase is over */
	bool closing;	/* aborted or rejected: the peer may take CLOSING_S to close, not longer */
	const char *fault; /* words; NULL none */
};

inline void set_no_delay(int fd)
{
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

/* Reads and writes for DCMTK: deadlines, the guard, and one packet per PDU. */
class GuardedConnection : public DcmTCPConnection
{
      public:
	GuardedConnection(DcmNativeSocketType socket, struct wire &w)
	    : DcmTCPConnection(socket), wire_(w), held_(0)
	{
		set_no_delay(socket);
	}

	ssize_t read(void *buffer, size_t size) override
	{
		flush();
		double last_byte_s = monotonic_s();
		for (;;) {
			int on = 1;
			setsockopt(getSocket(), IPPROTO_TCP, TCP_QUICKACK, &on, sizeof on);
			ssize_t got = ::recv(getSocket(), buffer, size, MSG_DONTWAIT);
			if (got > 0)
				return admit(static_cast<const uint8_t *>(buffer), got);
			if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
				return got;
			if (!wait_for(POLLIN, last_byte_s))
				return -1;
		}
	}

	/* DCMTK writes the 12 bytes before a PDV on their own: they wait for what follows. */
	ssize_t write(void *buffer, size_t size) override
	{
		if (held_ == 0 && size == sizeof header_ &&
		    static_cast<const unsigned char *>(buffer)[0] == 4) {
			memcpy(header_, buffer, size);
			held_ = size;
			return static_cast<ssize_t>(size);
		}
		struct iovec parts[2] = {{header_, held_}, {buffer, size}};
		held_ = 0;
		return send_all(parts) ? static_cast<ssize_t>(size) : -1;
	}

	OFBool networkDataAvailable(int timeout) override
	{
		flush();
		struct pollfd fd = {getSocket(), POLLIN, 0};
		if (wire_.closing)
			return poll(&fd, 1, static_cast<int>(CLOSING_S * 1000)) > 0;
		return poll(&fd, 1, timeout < 0 ? -1 : timeout * 1000) > 0;
	}

	void close() override
	{
		flush();
		DcmTCPConnection::close();
	}

      private:
	void flush()
	{
		if (held_ == 0)
			return;
		struct iovec parts[2] = {{header_, held_}, {nullptr, 0}};
		held_ = 0;
		send_all(parts);
	}

	bool send_all(struct iovec parts[2])
	{
		double last_byte_s = monotonic_s();
		while (parts[0].iov_len + parts[1].iov_len > 0) {
			struct msghdr message = {};
			message.msg_iov = parts;
			message.msg_iovlen = 2;
			ssize_t sent =
			    ::sendmsg(getSocket(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
				return false;
			if (sent < 0 && !wait_for(POLLOUT, last_byte_s))
				return false;
			for (int i = 0; i < 2 && sent > 0; i++) {
				size_t part = parts[i].iov_len < static_cast<size_t>(sent)
						  ? parts[i].iov_len
						  : static_cast<size_t>(sent);
				parts[i].iov_base = static_cast<char *>(parts[i].iov_base) + part;
				parts[i].iov_len -= part;
				sent -= static_cast<ssize_t>(part);
				last_byte_s = monotonic_s();
			}
		}
		return true;
	}

	ssize_t admit(const uint8_t *bytes, ssize_t got)
	{
		wire_.bytes += static_cast<uint64_t>(got);
		if (wire_.bytes > wire_.limits.max_bytes)
			return fail("more bytes than one association may send", EFBIG);
		if (!pdu_guard_feed(&wire_.guard, bytes, static_cast<size_t>(got)))
			return fail(wire_.guard.fault, EPROTO);
		return got;
	}

	ssize_t fail(const char *words, int error)
	{
		if (wire_.fault == nullptr)
			wire_.fault = words;
		errno = error;
		return -1;
	}

	/* Until the connection is ready, one of the deadlines, or the node's stop. */
	bool wait_for(short events, double last_byte_s)
	{
		double now = monotonic_s();
		double idle_s = wire_.closing	  ? CLOSING_S
				: wire_.requested ? wire_.limits.idle_timeout_s
						  : wire_.limits.request_timeout_s;
		double until_s = last_byte_s + idle_s;
		const char *words =
		    wire_.requested ? "nothing received in time" : "no association request in time";
		if (wire_.started_s + wire_.limits.total_timeout_s < until_s) {
			until_s = wire_.started_s + wire_.limits.total_timeout_s;
			words = "association open for too long";
		}
		if (!wire_.requested && wire_.started_s + idle_s < until_s)
			until_s = wire_.started_s + idle_s;
		if (wire_.limits.stop != nullptr && *wire_.limits.stop != 0) {
			if (wire_.stopped_s == 0)
				wire_.stopped_s = now;
			if (pdu_guard_is_idle(&wire_.guard) || now > wire_.stopped_s + 3)
				return fail("the node stops", ESHUTDOWN) >= 0;
			until_s = wire_.stopped_s + 3.1;
		}
		if (now >= until_s)
			return fail(words, ETIMEDOUT) >= 0;
		struct pollfd fd = {getSocket(), events, 0};
		if (events == POLLIN && wire_.limits.quiet != nullptr) {
			if (poll(&fd, 1, ASSOCIATION_QUIET_MS) != 0)
				return true;
			wire_.limits.quiet(wire_.limits.user);
		}
		/* A signal or a time-out is seen by the next turn, at most a second late. */
		double left_ms = (until_s - now) * 1000 + 1;
		poll(&fd, 1, left_ms > 1000 ? 1000 : static_cast<int>(left_ms));
		return true;
	}

	struct wire &wire_;
	unsigned char header_[12];
	size_t held_;
};

class GuardedLayer : public DcmTransportLayer
{
      public:
	explicit GuardedLayer(struct wire &w) : wire_(w)
	{
	}

	DcmTransportConnection *createConnection(DcmNativeSocketType socket,
						 OFBool use_secure_layer) override
	{
		return use_secure_layer ? nullptr
					: new (std::nothrow) GuardedConnection(socket, wire_);
	}

      private:
	struct wire &wire_;
};

template <class Body> enum status_code guarded(struct status *st, Body body) noexcept
{
	try {
		return body();
	} catch (const std::bad_alloc &) {
		return status_fail(st, STATUS_RETRY, "association: out of memory");
	} catch (const std::exception &e) {
		return status_fail(st, STATUS_BUG, "association: %s", e.what());
	} catch (...) {
		return status_fail(st, STATUS_BUG, "association: unknown exception");
	}
}

struct association {
	struct wire wire;
	GuardedLayer layer;
	T_ASC_Network *network;
	T_ASC_Association *dcmtk;
	bool open; /* something is there to abort */
	char calling_ae[17], called_ae[17];
	T_ASC_PresentationContextID context;
	T_DIMSE_Message request;

	explicit association(const struct association_limits *limits)
	    : wire(), layer(wire), network(nullptr), dcmtk(nullptr), open(false), calling_ae(),
	      called_ae(), context(0), request()
	{
		wire.limits = *limits;
		wire.started_s = monotonic_s();
		pdu_guard_init(&wire.guard, ASSOCIATION_MAX_PDU);
	}

	~association()
	{
		wire.closing = true;
		if (open)
			ASC_abortAssociation(dcmtk);
		if (dcmtk != nullptr)
			ASC_destroyAssociation(&dcmtk);
		if (network != nullptr)
			ASC_dropNetwork(&network);
	}

	/* Our own words where there are any, else DCMTK's. */
	enum status_code fail(struct status *st, enum status_code code, const char *doing,
			      const OFCondition &condition)
	{
		return status_fail(st, code, "%s: %s", doing,
				   wire.fault != nullptr ? wire.fault : condition.text());
	}
};

/* Makes the network object and puts our transport under it. */
enum status_code association_start_network(struct association *a, T_ASC_NetworkRole role,
					   struct status *st);

/* Everything after which the association cannot go on: aborts unless the peer did. */
enum status_code association_broken(struct association *a, const char *doing,
				    const OFCondition &condition, enum status_code code,
				    struct status *st);

#endif
