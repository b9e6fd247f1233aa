/*
 * Puts load on an echo server, and checks every byte that comes back.
 *
 *     echo-load HOST PORT   reads commands from standard input, answers each with a line of JSON
 *
 *     open CONNECTIONS SIZE DEPTH    connects; messages of SIZE bytes, DEPTH of them under way on each connection
 *     echo MESSAGES                  sends so many over all of them: {"messages":…,"p50":µs,"p99":µs,"max":µs}
 *     dial COUNT AT_ONCE SIZE        COUNT times: connect, one message there and back, close
 *     idle COUNT                     COUNT connections that have each got one byte back, and say nothing more
 *     drop                           closes all
 *
 * Nothing lasts longer than 60 seconds. Whatever goes wrong ends it with a line on standard error, and 1.
 */
#define _GNU_SOURCE
#include "client.h"

/* The bytes of a connection repeat after a prime number, so that a message is never like its neighbours. */
#define PERIOD 65521
#define CHUNK (1 << 20)
#define PATIENCE_NANOS 60000000000LL

static unsigned char pattern[PERIOD + CHUNK];
static unsigned char incoming[CHUNK];

struct connection {
  int fd;
  int connecting;
  size_t start;          /* where in the pattern its bytes begin */
  long long sent, received, allowed, target; /* in bytes; `target` is where it is done */
  int size, depth;
  long long *began;      /* of each message under way: when its first byte was sent */
};

static struct connection *connections;
static int count;

static void dial(struct connection *c, int index) {
  memset(c, 0, sizeof *c);
  c->start = (size_t)index * 7919 % PERIOD;
  c->fd = dial_server(c);
  c->connecting = 1;
}

static void plan(struct connection *c, long long messages, int size, int depth) {
  c->size = size;
  c->depth = depth;
  c->target = c->sent + messages * size;
  c->allowed = c->sent + (messages < depth ? messages : depth) * (long long)size;
  if (c->began == NULL) c->began = calloc(depth, sizeof *c->began);
}

static void push(struct connection *c) {
  while (c->sent < c->allowed) {
    long long length = c->allowed - c->sent;
    if (length > CHUNK) length = CHUNK;
    long long time = now();
    ssize_t wrote = send(c->fd, pattern + (c->start + c->sent) % PERIOD, length, MSG_NOSIGNAL);
    if (wrote < 0 && errno == EAGAIN) return;
    if (wrote < 0) fail("send: %s", strerror(errno));
    for (long long m = (c->sent + c->size - 1) / c->size; m * c->size < c->sent + wrote; m++) c->began[m % c->depth] = time;
    c->sent += wrote;
  }
}

/* Returns 1 when everything has come back. */
static int pull(struct connection *c) {
  for (;;) {
    ssize_t got = recv(c->fd, incoming, sizeof incoming, 0);
    if (got < 0 && errno == EAGAIN) return 0;
    if (got < 0) fail("recv: %s", strerror(errno));
    if (got == 0) fail("the server has closed a connection after %lld of %lld bytes", c->received, c->target);
    if (c->received + got > c->sent) fail("more came back than was sent");
    if (memcmp(incoming, pattern + (c->start + c->received) % PERIOD, got) != 0) fail("other bytes came back, near byte %lld", c->received);
    long long time = now(), before = c->received / c->size;
    c->received += got;
    for (long long m = before; m < c->received / c->size; m++) {
      took(time - c->began[m % c->depth]);
      if (c->allowed < c->target) c->allowed += c->size;
    }
    if (c->received == c->target) return 1;
    push(c);
    if ((size_t)got < sizeof incoming) return 0;
  }
}

/* Runs until `open` connections are done; `again` may dial anew in place of one that is. */
static void drive(int open, int (*again)(struct connection *)) {
  struct epoll_event events[256];
  long long ends = now() + PATIENCE_NANOS;
  while (open > 0) {
    int ready = epoll_wait(events_fd, events, 256, 1000);
    if (now() > ends) fail("%d connections are not done after 60 s", open);
    for (int i = 0; i < ready; i++) {
      struct connection *c = events[i].data.ptr;
      if (c->connecting) {
        if (!(events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) continue;
        must_be_connected(c->fd);
        c->connecting = 0;
      }
      if (c->received == c->target) continue;
      push(c);
      if (pull(c) && !(again != NULL && again(c))) open--;
    }
  }
}

static void statistics(long long messages) {
  struct latencies of = latencies();
  printf("{\"messages\":%lld,\"p50\":%d,\"p99\":%d,\"max\":%d}\n", messages, of.p50, of.p99, of.max);
}

static void drop(void) {
  for (int i = 0; i < count; i++) {
    close(connections[i].fd);
    free(connections[i].began);
  }
  free(connections);
  connections = NULL;
  count = 0;
}

static void make(int number) {
  drop();
  count = number;
  connections = calloc(number, sizeof *connections);
}

static int to_dial, dial_size, dialled;

static int dial_again(struct connection *c) {
  close(c->fd);
  free(c->began);
  if (to_dial == 0) return 0;
  to_dial--;
  dial(c, dialled++);
  plan(c, 1, dial_size, 1);
  return 1;
}

/* Not all at once: the queue of a listener has an end. */
static void connect_all(int messages, int size, int depth) {
  for (int i = 0; i < count;) {
    int until = i + 100 < count ? i + 100 : count, first = i;
    for (; i < until; i++) {
      dial(&connections[i], i);
      plan(&connections[i], messages, size, depth);
    }
    drive(until - first, NULL);
  }
}

int main(int argc, char **argv) {
  if (argc != 3) return fprintf(stderr, "Usage: echo-load HOST PORT\n"), 1;
  begin("echo-load", argv[1], argv[2]);
  for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (unsigned char)((i % PERIOD) * 2654435761u >> 13);
  char line[256];
  int a, b, c, size = 0, depth = 0;
  long long messages;
  while (fgets(line, sizeof line, stdin) != NULL) {
    if (sscanf(line, "open %d %d %d", &a, &b, &c) == 3) {
      make(a);
      connect_all(1, size = b, depth = c);
      statistics(a);
    } else if (sscanf(line, "echo %lld", &messages) == 1) {
      for (int i = 0; i < count; i++) {
        plan(&connections[i], messages / count + (i < messages % count), size, depth);
        push(&connections[i]);
      }
      int busy = messages < count ? (int)messages : count;
      drive(busy, NULL);
      statistics(messages);
    } else if (sscanf(line, "dial %d %d %d", &a, &b, &c) == 3) {
      int at_once = b < a ? b : a;
      make(at_once);
      to_dial = a - at_once;
      dial_size = c;
      for (dialled = 0; dialled < at_once; dialled++) {
        dial(&connections[dialled], dialled);
        plan(&connections[dialled], 1, c, 1);
      }
      drive(at_once, dial_again);
      free(connections);
      connections = NULL;
      count = 0;
      statistics(a);
    } else if (sscanf(line, "idle %d", &a) == 1) {
      make(a);
      connect_all(1, 1, 1);
      statistics(a);
    } else if (strcmp(line, "drop\n") == 0) {
      drop();
      printf("{}\n");
    } else fail("unknown command %s", line);
    fflush(stdout);
  }
  return 0;
}
