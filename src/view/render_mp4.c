/// Films: MP4, encoded by the program ffmpeg.
///
/// Pictures go to ffmpeg as raw pixels through a socket, because a write to a socket can refuse
/// the signal SIGPIPE. ffmpeg writes a temporary file: MP4 cannot go through a pipe.
#include "base/file.h"
#include "view/render.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static const size_t LIMIT = (size_t)4 << 30; // bytes of a film

/// Starts ffmpeg with the socket as its input and the log as its error output. It is searched on
/// PATH.
static CelStatus start(CeliMp4 *mp4, int delay, int input, int log) {
  char size[32], rate[32];
  snprintf(size, sizeof size, "%dx%d", mp4->size, mp4->size);
  snprintf(rate, sizeof rate, "100/%d", delay);
  // Most players need an even width and height, and half the resolution of colors.
  char *arguments[] = {"ffmpeg",    "-hide_banner",
                       "-loglevel", "error",
                       "-y",        "-f",
                       "rawvideo",  "-pix_fmt",
                       "rgb24",     "-video_size",
                       size,        "-framerate",
                       rate,        "-i",
                       "pipe:0",    "-an",
                       "-vf",       "pad=ceil(iw/2)*2:ceil(ih/2)*2",
                       "-pix_fmt",  "yuv420p",
                       "-movflags", "+faststart",
                       "-f",        "mp4",
                       mp4->file,   NULL};
  posix_spawn_file_actions_t actions;
  pid_t process;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  posix_spawn_file_actions_adddup2(&actions, log, STDERR_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  const int failed = posix_spawnp(&process, "ffmpeg", &actions, NULL, arguments, environ);
  posix_spawn_file_actions_destroy(&actions);
  mp4->process = process;
  if (!failed) return CEL_OK;
  if (failed == ENOENT)
    return cel_fail(CEL_E_UNSUPPORTED,
                    "MP4 needs the program ffmpeg; install it (Debian: ffmpeg) or write a .gif");
  return cel_fail(CEL_E_IO, "cannot start ffmpeg: %s", strerror(failed));
}

/// Creates a temporary file. Returns its descriptor, or -1.
static int temporary(char name[64], const char *ending) {
  snprintf(name, 64, "/tmp/celsius-film-XXXXXX%s", ending);
  return mkostemps(name, (int)strlen(ending), O_CLOEXEC);
}

static CelStatus open_all(CeliMp4 *mp4, int delay) {
  int ends[2] = {-1, -1};
  const int file = temporary(mp4->file, ".mp4"), log = temporary(mp4->log, ".txt");
  CelStatus status = CEL_OK;
  if (file < 0 || log < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    status =
        cel_fail(CEL_E_IO, "cannot create temporary files for ffmpeg in /tmp: %s", strerror(errno));
  if (status == CEL_OK) status = start(mp4, delay, ends[1], log);
  if (file >= 0) close(file);
  if (log >= 0) close(log);
  if (ends[1] >= 0) close(ends[1]);
  mp4->pipe = ends[0];
  return status;
}

/// Removes everything but the message.
static void forget(CeliMp4 *mp4) {
  if (mp4->pipe >= 0) close(mp4->pipe);
  if (mp4->file[0]) unlink(mp4->file);
  if (mp4->log[0]) unlink(mp4->log);
  free(mp4->frame);
}

CelStatus celi_mp4_open(CeliMp4 *mp4, int size, int delay) {
  *mp4 = (CeliMp4){.process = -1, .pipe = -1, .size = size};
  CelStatus status = celi_alloc(&mp4->frame, (size_t)size * (size_t)size, 3, "a picture");
  if (status == CEL_OK) status = open_all(mp4, delay);
  if (status != CEL_OK) forget(mp4);
  return status;
}

CelStatus celi_mp4_add(CeliMp4 *mp4, const CeliPixels *pixels) {
  uint8_t *to = mp4->frame;
  for (int y = 0; y < pixels->size; y++)
    for (int x = 0; x < pixels->size; x++) {
      const uint32_t c = pixels->data[y * pixels->stride + x];
      *to++ = (uint8_t)(c >> 16), *to++ = (uint8_t)(c >> 8), *to++ = (uint8_t)c;
    }
  const size_t n = (size_t)mp4->size * (size_t)mp4->size * 3;
  for (size_t sent = 0; sent < n;) {
    const ssize_t k = send(mp4->pipe, mp4->frame + sent, n - sent, MSG_NOSIGNAL);
    if (k < 0 && errno == EINTR) continue;
    if (k < 0) return cel_fail(CEL_E_IO, "ffmpeg stopped: %s", strerror(errno));
    sent += (size_t)k;
  }
  return CEL_OK;
}

/// Fails with the first line of ffmpeg's messages.
static CelStatus fail_ffmpeg(const CeliMp4 *mp4, int code) {
  char *text = NULL;
  size_t size;
  CelStatus status = celi_file_read(mp4->log, 1 << 20, &text, &size);
  const int n = status == CEL_OK ? (int)strcspn(text, "\r\n") : 0;
  status = cel_fail(CEL_E_IO, "ffmpeg failed with status %d%s%.*s", code, n ? ": " : "",
                    n < 300 ? n : 300, n ? text : "");
  free(text);
  return status;
}

CelStatus celi_mp4_close(CeliMp4 *mp4, CelStatus status, const char *path) {
  int code = 0;
  char *film = NULL;
  size_t size;
  close(mp4->pipe);
  mp4->pipe = -1;
  if (status != CEL_OK && status != CEL_E_IO) kill(mp4->process, SIGKILL);
  while (waitpid(mp4->process, &code, 0) < 0 && errno == EINTR) {
  }
  if ((status == CEL_OK || status == CEL_E_IO) && code != 0) status = fail_ffmpeg(mp4, code);
  if (status == CEL_OK) status = celi_file_read(mp4->file, LIMIT, &film, &size);
  if (status == CEL_OK) status = celi_file_write(path, film, size);
  free(film);
  forget(mp4);
  return status;
}
