/* An echo server with nothing around it: the most that a single thread on this machine can do. Prints its port. */
#define _GNU_SOURCE
#include "server.h"

static char buffer[1 << 16];

/* What a peer does not take waits here, and nothing more is read from that peer. */
struct connection {
  int fd;
  char *rest;
  size_t length, done;
};

static void end(struct connection *c) {
  close(c->fd);
  free(c->rest);
  free(c);
}

static int flush(struct connection *c) {
  while (c->done < c->length) {
    ssize_t wrote = send(c->fd, c->rest + c->done, c->length - c->done, MSG_NOSIGNAL);
    if (wrote < 0) return errno == EAGAIN ? 0 : -1;
    c->done += wrote;
  }
  free(c->rest);
  c->rest = NULL;
  return 1;
}

static void serve(struct connection *c) {
  if (c->rest != NULL) {
    int state = flush(c);
    if (state < 0) return end(c);
    if (state == 0) return;
  }
  for (;;) {
    ssize_t got = recv(c->fd, buffer, sizeof buffer, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return end(c);
    ssize_t wrote = send(c->fd, buffer, got, MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN) return end(c);
    if (wrote < 0) wrote = 0;
    if (wrote < got) {
      c->length = got - wrote;
      c->done = 0;
      c->rest = malloc(c->length);
      for (size_t i = 0; i < c->length; i++) c->rest[i] = buffer[wrote + i];
      return;
    }
    if ((size_t)got < sizeof buffer) return;
  }
}

int main(void) {
  if (begin() < 0) return 1;
  struct epoll_event events[256];
  for (;;) {
    int ready = epoll_wait(loop, events, 256, -1);
    for (int i = 0; i < ready; i++) {
      if (events[i].data.ptr != NULL) {
        serve(events[i].data.ptr);
        continue;
      }
      for (int fd; (fd = next_connection()) >= 0;) {
        struct connection *c = calloc(1, sizeof *c);
        c->fd = fd;
        watch(fd, c);
      }
    }
  }
}
