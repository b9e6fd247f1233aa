/*
 * Users of a chat: many clients that talk to a server of the chat, and check every byte that it sends.
 *
 *     chat-load HOST PORT FRAMING      reads commands from standard input, answers each with a line of JSON
 *
 * FRAMING says how a line of the chat travels: `lines` (ended by LF), `ws` (a text frame of a WebSocket), or `socket.io`.
 *
 *     join CLIENTS                          all connect and say their names. Each must be told of itself and of all who come after it
 *     say LINES SENDERS WINDOW SIZE         so many lines of SIZE bytes by the first SENDERS clients, each with WINDOW of its own under way
 *     pace LINES SENDERS PER_SECOND SIZE    so many lines in a rhythm, whether the earlier ones have come or not
 *     stop                                  the last client reads no more, and is not counted from now on
 *     patience SECONDS                      how long it may last until something comes, when something must; 30 unless told
 *     idle CLIENTS                          so many connections more that say nothing, not even a name
 *     drop                                  closes all
 *
 * The answer tells how many lines were delivered and checked, the seconds that took, and p50, p99 and the longest time in µs from the
 * moment a line was sent (for `pace`: was due) to the moment a receiver had it. A line that is missing, twice, changed, or out of
 * the order of its sender ends the program with a sentence on standard error, and 1; so does a wait that is too long.
 */
#define _GNU_SOURCE
#include "client.h"

#define MOST_CLIENTS 10000
#define MOST_SENDERS 64
#define MOST_SIZE 4096
/* So many have connected and are not welcomed yet: the queue of a listener has 511 places. */
#define AT_THE_DOOR 500
/* The texts repeat after a prime number, so that a line is never like its neighbours. */
#define PERIOD 65521
#define NAME 7

enum framing { LINES, WS, SOCKET_IO };
/* A client is one after the other; SHAKING and OPENING belong to WebSockets and Socket.IO. */
enum state { CONNECTING, SHAKING, OPENING, JOINING, JOINED, SILENT };

struct client {
  int fd, index, generation;
  enum state state;
  int stopped;
  char *rest;             /* the beginning of what has not come whole */
  size_t rest_length;
  int number;             /* "Welcome! NUMBER user(s) are online!" */
  unsigned short *notices; /* whom it was told of, in that order */
  int noticed, notices_room;
  unsigned next[MOST_SENDERS]; /* of each sender: the line that must come next */
};

static enum framing framing;
static struct client *clients[MOST_CLIENTS];
static int count, welcomed, generation;
static long long noticed, left;
static char pattern[PERIOD + MOST_SIZE];
static char incoming[MOST_SIZE * 4 + (1 << 18)];
static int patience = 30; /* seconds */
static long long alive;     /* when something came */

/* What is being said. */
static struct {
  int senders, size, window;
  unsigned first[MOST_SENDERS], sent[MOST_SENDERS], end[MOST_SENDERS], back[MOST_SENDERS];
  long long *times[MOST_SENDERS]; /* when each was sent, from `first` on */
  long long delivered, wanted;
} talk;

static int too_long(void) {
  return now() - alive > patience * 1000000000LL;
}

/* --- sending --- */

/* There is always room in a socket for the little that a client says. */
static void put(struct client *c, const char *bytes, size_t length) {
  if (send(c->fd, bytes, length, MSG_NOSIGNAL) != (ssize_t)length) fail("the server does not take what client %d says: %s", c->index, strerror(errno));
}

static size_t frame(char *out, int opcode, const char *text, size_t length) {
  static unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
  size_t at = 0;
  out[at++] = (char)(0x80 | opcode);
  if (length < 126) out[at++] = (char)(0x80 | length);
  else {
    out[at++] = (char)(0x80 | 126);
    out[at++] = (char)(length >> 8);
    out[at++] = (char)length;
  }
  memcpy(out + at, mask, 4);
  at += 4;
  for (size_t i = 0; i < length; i++) out[at + i] = text[i] ^ mask[i & 3];
  return at + length;
}

static size_t wrap(char *out, const char *line, size_t length) {
  static char text[MOST_SIZE + 64];
  if (framing == LINES) {
    memcpy(out, line, length);
    out[length] = '\n';
    return length + 1;
  }
  if (framing == WS) return frame(out, 1, line, length);
  size_t all = (size_t)snprintf(text, sizeof text, "42[\"line\",\"%.*s\"]", (int)length, line);
  return frame(out, 1, text, all);
}

static void put_line(struct client *c, const char *line, size_t length) {
  static char wrapped[MOST_SIZE + 128];
  put(c, wrapped, wrap(wrapped, line, length));
}

static size_t name_of(struct client *c, char *out) {
  return (size_t)sprintf(out, "u%02d%04d", c->generation % 100, c->index);
}

static const char *text_of(int sender, unsigned line) {
  return pattern + ((size_t)sender * 7919 + (size_t)line * 104729) % PERIOD;
}

/* Sends the lines up to `until` at once. */
static void speak(int sender, unsigned until, long long time) {
  static char out[1 << 18];
  char line[MOST_SIZE + 1];
  size_t length = 0;
  for (; talk.sent[sender] < until; talk.sent[sender]++) {
    unsigned n = talk.sent[sender];
    sprintf(line, "%08u ", n);
    memcpy(line + 9, text_of(sender, n), talk.size - 9);
    if (length + talk.size + 64 > sizeof out) fail("the window is too large");
    length += wrap(out + length, line, talk.size);
    talk.times[sender][n - talk.first[sender]] = time;
  }
  if (length > 0) put(clients[sender], out, length);
}

/* --- connecting --- */

static struct client *client(int index, enum state state) {
  if (index >= MOST_CLIENTS) fail("at most %d clients", MOST_CLIENTS);
  struct client *c = calloc(1, sizeof *c);
  c->index = index;
  c->generation = generation;
  c->state = state;
  return clients[index] = c;
}

static void introduce(struct client *c) {
  char line[64] = "CONNECT ";
  c->state = JOINING;
  put_line(c, line, 8 + name_of(c, line + 8));
}

static void shake(struct client *c) {
  char request[512];
  const char *path = framing == WS ? "/" : "/socket.io/?EIO=4&transport=websocket";
  c->state = SHAKING;
  put(c, request, (size_t)sprintf(request,
    "GET %s HTTP/1.1\r\nHost: bench\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path));
}

static void connected(struct client *c) {
  must_be_connected(c->fd);
  if (framing == LINES) introduce(c);
  else shake(c);
}

/* --- receiving --- */

static int number_in(const char *from, int digits) {
  int number = 0;
  for (int i = 0; i < digits; i++) {
    if (from[i] < '0' || from[i] > '9') return -1;
    number = number * 10 + from[i] - '0';
  }
  return number;
}

static void welcome(struct client *c, const char *line, int length) {
  char expected[64];
  int number = atoi(line + 9);
  if (strncmp(line, "Welcome! ", 9) != 0 || snprintf(expected, sizeof expected, "Welcome! %d user(s) are online!", number) != length ||
      memcmp(expected, line, length) != 0)
    fail("instead of a welcome client %d got \"%.*s\"", c->index, length, line);
  if (number < 1 || number > count) fail("a welcome says %d of %d users", number, count);
  c->number = number;
  c->state = JOINED;
  welcomed++;
}

static void notice(struct client *c, int about) {
  if (c->noticed == c->notices_room) {
    c->notices_room = c->notices_room == 0 ? 64 : c->notices_room * 2;
    c->notices = realloc(c->notices, c->notices_room * sizeof *c->notices);
  }
  c->notices[c->noticed++] = (unsigned short)about;
  noticed++;
}

static void message(struct client *c, int sender, const char *text, int length, long long time) {
  unsigned n = c->next[sender];
  if (sender >= talk.senders || n >= talk.sent[sender]) fail("client %d got a line that nobody has said: \"%.*s\"", c->index, length, text);
  if (length != talk.size || (unsigned)number_in(text, 8) != n || text[8] != ' ')
    fail("client %d wanted line %u of client %d and got \"%.*s\"", c->index, n, sender, length < 60 ? length : 60, text);
  if (memcmp(text + 9, text_of(sender, n), talk.size - 9) != 0) fail("client %d got another line %u of client %d than was said", c->index, n, sender);
  c->next[sender]++;
  talk.delivered++;
  took(time - talk.times[sender][n - talk.first[sender]]);
  if (c->index == sender) talk.back[sender]++;
}

static void line_came(struct client *c, const char *line, int length, long long time) {
  static const char connected_text[] = " connected!", left_text[] = " has left the chat";
  if (c->state == JOINING) return welcome(c, line, length);
  int about = length < NAME || line[0] != 'u' ? -1 : number_in(line + 3, 4);
  if (about < 0 || about >= count || number_in(line + 1, 2) != generation % 100) fail("client %d got \"%.*s\"", c->index, length < 80 ? length : 80, line);
  const char *text = line + NAME;
  length -= NAME;
  if (length > 2 && text[0] == ':' && text[1] == ' ') return message(c, about, text + 2, length - 2, time);
  if (length == sizeof connected_text - 1 && memcmp(text, connected_text, length) == 0) return notice(c, about);
  if (length == sizeof left_text - 1 && memcmp(text, left_text, length) == 0 && clients[about]->stopped) {
    left++;
    return;
  }
  fail("client %d got \"%.*s\"", c->index, length < 80 ? length + NAME : 80, line);
}

/* A text of Engine.IO: 0 opens, 2 is a ping, 40 and 42 belong to Socket.IO. */
static void packet_came(struct client *c, const char *text, int length, long long time) {
  static const char before[] = "42[\"line\",\"";
  const int head = sizeof before - 1;
  char out[64];
  if (length > head + 2 && memcmp(text, before, head) == 0 && memcmp(text + length - 2, "\"]", 2) == 0)
    return line_came(c, text + head, length - head - 2, time);
  if (length > 0 && text[0] == '0') {
    c->state = OPENING;
    return put(c, out, frame(out, 1, "40", 2));
  }
  if (length > 1 && memcmp(text, "40", 2) == 0) return introduce(c);
  if (length == 1 && text[0] == '2') return put(c, out, frame(out, 1, "3", 1));
  fail("client %d got the packet \"%.*s\"", c->index, length < 80 ? length : 80, text);
}

/* Answers how many bytes it has used. */
static size_t take_lines(struct client *c, const char *bytes, size_t length, long long time) {
  size_t at = 0;
  for (;;) {
    const char *end = memchr(bytes + at, '\n', length - at);
    if (end == NULL) return at;
    line_came(c, bytes + at, (int)(end - bytes - at), time);
    at = end - bytes + 1;
  }
}

static size_t take_head(struct client *c, const char *bytes, size_t length) {
  const char *end = memmem(bytes, length, "\r\n\r\n", 4);
  if (end == NULL) return 0;
  if (strncmp(bytes, "HTTP/1.1 101 ", 13) != 0) fail("no WebSocket: %.40s", bytes);
  if (framing == WS) introduce(c);
  else c->state = OPENING;
  return end - bytes + 4;
}

static size_t take_frames(struct client *c, const char *bytes, size_t length, long long time) {
  size_t at = 0;
  for (;;) {
    const unsigned char *head = (const unsigned char *)bytes + at;
    if (length - at < 2) return at;
    size_t size = head[1] & 127, offset = 2;
    if (head[1] & 128 || size == 127) fail("a frame that a server does not send");
    if (size == 126) {
      if (length - at < 4) return at;
      size = (size_t)head[2] << 8 | head[3];
      offset = 4;
    }
    if (length - at < offset + size) return at;
    const char *text = bytes + at + offset;
    char pong[256];
    if (head[0] == 0x89 && size < 126) put(c, pong, frame(pong, 10, text, size));
    else if (head[0] != 0x81) fail("a frame of another kind: %02x", head[0]);
    else if (framing == WS) line_came(c, text, (int)size, time);
    else packet_came(c, text, (int)size, time);
    at += offset + size;
  }
}

static void pull(struct client *c) {
  while (!c->stopped) {
    if (c->rest_length > 0) memcpy(incoming, c->rest, c->rest_length);
    ssize_t got = recv(c->fd, incoming + c->rest_length, sizeof incoming - c->rest_length, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) fail("recv: %s", strerror(errno));
    if (got == 0) fail("the server has closed the connection of client %d", c->index);
    if (c->state == SILENT) fail("a client that has said nothing got \"%.*s\"", (int)(got < 80 ? got : 80), incoming);
    size_t length = c->rest_length + got, used = 0;
    int whole = length == sizeof incoming;
    long long time = alive = now();
    if (c->state == SHAKING) used = take_head(c, incoming, length);
    if (c->state != SHAKING)
      used += framing == LINES ? take_lines(c, incoming, length, time) : take_frames(c, incoming + used, length - used, time);
    if (c->rest_length != length - used) c->rest = realloc(c->rest, length - used + 1);
    c->rest_length = length - used;
    if (c->rest_length > MOST_SIZE * 4) fail("a line without an end");
    memcpy(c->rest, incoming + used, c->rest_length);
    if (!whole) return;
  }
}

/* Looks once at what has come; waits for it at most so long. */
static void turn(int millis) {
  struct epoll_event events[512];
  int ready = epoll_wait(events_fd, events, 512, millis);
  for (int i = 0; i < ready; i++) {
    struct client *c = events[i].data.ptr;
    if (c->state == CONNECTING) {
      if (!(events[i].events & (EPOLLOUT | EPOLLERR | EPOLLHUP))) continue;
      connected(c);
    }
    if (events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP)) pull(c);
  }
}

/* --- commands --- */

static void drop(void) {
  for (int i = 0; i < count; i++) {
    close(clients[i]->fd);
    free(clients[i]->rest);
    free(clients[i]->notices);
    free(clients[i]);
  }
  for (int i = 0; i < MOST_SENDERS; i++) talk.sent[i] = 0;
  count = welcomed = 0;
  noticed = left = 0;
}

static void answer(long long began, long long delivered) {
  struct latencies of = latencies();
  printf("{\"delivered\":%lld,\"seconds\":%.6f,\"p50\":%d,\"p99\":%d,\"max\":%d,\"left\":%lld}\n", delivered, (now() - began) / 1e9, of.p50, of.p99, of.max, left);
}

/* The one that was welcomed first is told of all, the last one of itself alone; all in the same order. */
static void check_notices(void) {
  struct client *in_order[MOST_CLIENTS] = {0};
  for (int i = 0; i < count; i++) {
    if (in_order[clients[i]->number - 1] != NULL) fail("two welcomes say that %d are online", clients[i]->number);
    in_order[clients[i]->number - 1] = clients[i];
  }
  for (int i = 0; i < count; i++) {
    struct client *c = in_order[i];
    if (c->noticed != count - i) fail("client %d was told of %d others instead of %d", c->index, c->noticed, count - i);
    for (int j = 0; j < c->noticed; j++)
      if (c->notices[j] != in_order[i + j]->index) fail("client %d was told of client %d instead of %d", c->index, c->notices[j], in_order[i + j]->index);
  }
}

static void join(int number) {
  long long began = now(), wanted = (long long)number * (number + 1) / 2;
  drop();
  generation++;
  int dialled = 0;
  count = number;
  /* All of them first: a notice may come about one that has just been dialled. */
  for (int i = 0; i < number; i++) client(i, CONNECTING);
  while (noticed < wanted || welcomed < number) {
    for (; dialled < number && dialled - welcomed < AT_THE_DOOR; dialled++) clients[dialled]->fd = dial_server(clients[dialled]);
    turn(1000);
    if (too_long()) fail("%d of %d are welcome and %lld of %lld notices have come, and none for %d s", welcomed, number, noticed, wanted, patience);
  }
  check_notices();
  answer(began, noticed);
}

static int reading(void) {
  int readers = 0;
  for (int i = 0; i < count; i++) readers += !clients[i]->stopped;
  return readers;
}

static void plan(int lines, int senders, int window, int size) {
  if (senders > MOST_SENDERS || senders > count || size > MOST_SIZE || size < 10) fail("what shall %d senders say?", senders);
  talk.senders = senders;
  talk.size = size;
  talk.window = window;
  talk.delivered = 0;
  talk.wanted = (long long)lines * reading();
  for (int i = 0; i < senders; i++) {
    int share = lines / senders + (i < lines % senders);
    talk.first[i] = talk.back[i] = talk.sent[i];
    talk.end[i] = talk.sent[i] + share;
    talk.times[i] = realloc(talk.times[i], (share + 1) * sizeof(long long));
  }
}

static void must_go_on(void) {
  if (too_long()) fail("%lld of %lld lines have come, and none for %d s", talk.delivered, talk.wanted, patience);
}

static void say(int lines, int senders, int window, int size) {
  long long began = now();
  plan(lines, senders, window, size);
  while (talk.delivered < talk.wanted) {
    for (int i = 0; i < senders; i++) {
      unsigned until = talk.back[i] + window;
      if (until > talk.end[i]) until = talk.end[i];
      if (talk.sent[i] < until) speak(i, until, now());
    }
    turn(1000);
    must_go_on();
  }
  answer(began, talk.delivered);
}

static void pace(int lines, int senders, int per_second, int size) {
  long long began = now();
  plan(lines, senders, 0, size);
  for (int said = 0; said < lines || talk.delivered < talk.wanted;) {
    long long due = began + said * 1000000000LL / per_second, wait = due - now();
    if (said < lines && wait <= 0) {
      int sender = said++ % senders;
      speak(sender, talk.sent[sender] + 1, due);
      continue;
    }
    turn(said < lines ? (int)(wait / 1000000) : 1000);
    must_go_on();
  }
  answer(began, talk.delivered);
}

static void idle(int number) {
  long long began = now();
  int from = count, ready = 0;
  for (; count < from + number; count++) {
    struct client *c = client(count, CONNECTING);
    c->fd = dial_server(c);
  }
  struct epoll_event events[512];
  while (ready < number) {
    int some = epoll_wait(events_fd, events, 512, 1000);
    for (int i = 0; i < some; i++) {
      struct client *c = events[i].data.ptr;
      if (c->state == SILENT) {
        pull(c);
        continue;
      }
      must_be_connected(c->fd);
      c->state = SILENT;
      ready++;
    }
    if (too_long()) fail("%d of %d are connected after %d s", ready, number, patience);
  }
  /* And those that are connected already are so still. */
  turn(0);
  answer(began, 0);
}

int main(int argc, char **argv) {
  if (argc != 4) return fprintf(stderr, "Usage: chat-load HOST PORT FRAMING\n"), 1;
  begin("chat-load", argv[1], argv[2]);
  framing = strcmp(argv[3], "lines") == 0 ? LINES : strcmp(argv[3], "ws") == 0 ? WS : SOCKET_IO;
  for (size_t i = 0; i < sizeof pattern; i++) pattern[i] = (char)('a' + ((i % PERIOD) * 2654435761u >> 13) % 26);
  char line[256];
  int a, b, c, d;
  while (fgets(line, sizeof line, stdin) != NULL) {
    alive = now();
    if (sscanf(line, "join %d", &a) == 1) join(a);
    else if (sscanf(line, "say %d %d %d %d", &a, &b, &c, &d) == 4) say(a, b, c, d);
    else if (sscanf(line, "pace %d %d %d %d", &a, &b, &c, &d) == 4) pace(a, b, c, d);
    else if (sscanf(line, "idle %d", &a) == 1) idle(a);
    else if (sscanf(line, "patience %d", &a) == 1) {
      patience = a;
      printf("{}\n");
    } else if (strcmp(line, "stop\n") == 0) {
      clients[count - 1]->stopped = 1;
      printf("{}\n");
    } else if (strcmp(line, "drop\n") == 0) {
      drop();
      printf("{}\n");
    } else fail("unknown command %s", line);
    fflush(stdout);
  }
  return 0;
}
