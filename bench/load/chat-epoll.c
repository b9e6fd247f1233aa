/*
 * A chat with nothing around it: the most that a single thread on this machine can do. Prints its port.
 *
 * What everybody is told in one turn of the loop is gathered in one buffer, and each user gets one write of it. Who comes
 * during the turn gets the end of it, behind a welcome. Whoever has more than 1 MiB to read is dropped.
 */
#define _GNU_SOURCE
#include "server.h"
#include <string.h>
#include <sys/uio.h>

#define MOST_UNREAD (1 << 20)
#define MOST_LINE 4096

static char incoming[1 << 16];

struct bytes {
  char *at;
  size_t length, room;
};

struct user {
  int fd, gone;
  char name[33];          /* empty until it is said */
  struct bytes rest;      /* the beginning of a line */
  struct bytes unsent;
  size_t from;            /* where in what is told in this turn its part begins */
  char welcome[64];       /* what stands before that */
  struct user *before, *after, *next_gone;
};

static struct user everybody = {.before = &everybody, .after = &everybody}, *gone;
static int online;
static struct bytes told;

static void add(struct bytes *to, const char *bytes, size_t length) {
  if (to->length + length > to->room) {
    to->room = (to->length + length) * 2;
    to->at = realloc(to->at, to->room);
  }
  memcpy(to->at + to->length, bytes, length);
  to->length += length;
}

static void tell(const char *name, const char *between, const char *text, size_t length) {
  add(&told, name, strlen(name));
  add(&told, between, strlen(between));
  add(&told, text, length);
  add(&told, "\n", 1);
}

/* Freed at the end of the turn: an event of it may still be in the list. */
static void leave(struct user *u) {
  if (u->gone) return;
  u->gone = 1;
  u->next_gone = gone;
  gone = u;
  close(u->fd);
  if (u->name[0] == 0) return;
  u->before->after = u->after;
  u->after->before = u->before;
  online--;
  tell(u->name, " has left the chat", "", 0);
}

static void flush(struct user *u) {
  size_t done = 0;
  while (done < u->unsent.length) {
    ssize_t wrote = send(u->fd, u->unsent.at + done, u->unsent.length - done, MSG_NOSIGNAL);
    if (wrote < 0 && errno != EAGAIN) return leave(u);
    if (wrote < 0) break;
    done += wrote;
  }
  u->unsent.length -= done;
  memmove(u->unsent.at, u->unsent.at + done, u->unsent.length);
  if (u->unsent.length > 0) return;
  free(u->unsent.at);
  u->unsent = (struct bytes){0};
}

static void line(struct user *u, const char *text, size_t length) {
  if (length > 0 && text[length - 1] == '\r') length--;
  if (u->name[0] != 0) {
    if (length > 0) tell(u->name, ": ", text, length);
    return;
  }
  if (length < 9 || length > 40 || memcmp(text, "CONNECT ", 8) != 0) return leave(u);
  memcpy(u->name, text + 8, length - 8);
  sprintf(u->welcome, "Welcome! %d user(s) are online!\n", ++online);
  u->from = told.length;
  u->before = everybody.before;
  u->after = &everybody;
  u->before->after = u->after->before = u;
  tell(u->name, " connected!", "", 0);
}

static void listen_to(struct user *u) {
  for (;;) {
    ssize_t got = recv(u->fd, incoming, sizeof incoming, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) return leave(u);
    char *from = incoming, *end = incoming + got, *stop;
    while (!u->gone && (stop = memchr(from, '\n', end - from)) != NULL) {
      if (u->rest.length > 0) {
        add(&u->rest, from, stop - from);
        line(u, u->rest.at, u->rest.length);
        u->rest.length = 0;
      } else line(u, from, stop - from);
      from = stop + 1;
    }
    if (u->gone) return;
    if (from < end) add(&u->rest, from, end - from);
    if (u->rest.length > MOST_LINE) return leave(u);
    if ((size_t)got < sizeof incoming) return;
  }
}

static void deliver(struct user *u, size_t until) {
  struct iovec parts[2] = {
    {.iov_base = u->welcome, .iov_len = strlen(u->welcome)},
    {.iov_base = told.at + u->from, .iov_len = until - u->from}
  };
  size_t length = parts[0].iov_len + parts[1].iov_len, done = 0;
  if (length > 0 && u->unsent.length == 0) {
    ssize_t wrote = u->welcome[0] == 0 ? send(u->fd, parts[1].iov_base, length, MSG_NOSIGNAL) : writev(u->fd, parts, 2);
    if (wrote < 0 && errno != EAGAIN) return leave(u);
    if (wrote > 0) done = wrote;
  }
  for (int i = 0; i < 2; i++) {
    size_t skip = done < parts[i].iov_len ? done : parts[i].iov_len;
    if (skip < parts[i].iov_len) add(&u->unsent, (char *)parts[i].iov_base + skip, parts[i].iov_len - skip);
    done -= skip;
  }
  u->welcome[0] = 0;
  u->from = 0;
  if (u->unsent.length > MOST_UNREAD) leave(u);
}

/* Who leaves meanwhile is told of in the next round. */
static void end_turn(void) {
  while (told.length > 0) {
    size_t until = told.length;
    for (struct user *u = everybody.after, *after; u != &everybody; u = after) {
      after = u->after;
      deliver(u, until);
    }
    told.length -= until;
    memmove(told.at, told.at + until, told.length);
  }
  for (struct user *u; (u = gone) != NULL;) {
    gone = u->next_gone;
    free(u->rest.at);
    free(u->unsent.at);
    free(u);
  }
}

int main(void) {
  if (begin() < 0) return 1;
  struct epoll_event events[1024];
  for (;;) {
    int ready = epoll_wait(loop, events, 1024, -1);
    for (int i = 0; i < ready; i++) {
      struct user *u = events[i].data.ptr;
      if (u != NULL) {
        if (!u->gone && events[i].events & EPOLLOUT && u->unsent.length > 0) flush(u);
        if (!u->gone && events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) listen_to(u);
        continue;
      }
      for (int fd; (fd = next_connection()) >= 0;) {
        struct user *user = calloc(1, sizeof *user);
        user->fd = fd;
        watch(fd, user);
      }
    }
    end_turn();
  }
}
