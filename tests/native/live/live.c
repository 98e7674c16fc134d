/* Random calls of a player with held voices, many of them with numbers that must be refused, as a program that sanitizers watch.
   Arguments: a seed, the number of calls, and whether a second thread plays meanwhile. Prints how many calls were taken. */
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "timbrespace.h"

enum { SOUND = 3000, BLOCK = 700 };
static uint64_t state;
static ts_player *player;
static ts_output *output;
static atomic_int done;

static uint32_t word(void) {
  state = state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(state >> 33);
}
static int below(int n) { return (int)(word() % (uint32_t)n); }

/* Mostly within a range, sometimes anywhere. */
static float number(float low, float high) {
  static const float ODD[] = {NAN, INFINITY, -INFINITY, 0.0f, -0.0f, 1e30f, -1e30f, 1e-42f, 3.4e38f};
  if (below(40) == 0) return ODD[below(9)];
  return low + (high - low) * (float)(word() & 0xFFFF) / 65535.0f;
}
static int32_t whole(int low, int high) {
  static const int32_t ODD[] = {INT32_MAX, INT32_MIN, -1, 1 << 20};
  return below(40) ? low + below(high - low + 1) : ODD[below(4)];
}
static int64_t when(void) {
  static const int64_t ODD[] = {INT64_MAX, INT64_MIN, -1, INT64_C(1) << 62};
  ts_player_state now;
  if (below(60) == 0) return ODD[1 + below(2)];
  if (below(500) == 0) return ODD[below(4)];
  ts_player_read(player, &now);
  return below(3) ? 0 : now.time + below(2000);
}

static void play(int frames) {
  static float samples[2 * BLOCK];
  const double times[3] = {0, 1, 2};
  if (ts_output_callback(NULL, samples, (unsigned long)frames, times, (unsigned long)below(32), output)) abort();
  for (int i = 0; i < 2 * frames; i++)
    if (!(samples[i] >= -1.0f && samples[i] <= 1.0f)) puts("a sample over full scale"), exit(3);
}

static void *audio(void *nothing) {
  static float samples[2 * 64];
  while (!atomic_load(&done)) ts_output_callback(NULL, samples, 64, NULL, 0, output);
  return nothing;
}

static ts_status call(float *const *sounds) {
  float ratios[TS_PARTIALS + 4], amplitudes[TS_PARTIALS + 4], *magnitudes = malloc((TS_BINS + 4) * sizeof(float));
  ts_status status = 0;
  ts_voice voice;
  ts_held held;
  const int32_t count = whole(0, TS_PARTIALS), bins = whole(8, 2049), slot = whole(0, 7);
  for (int i = 0; i < TS_PARTIALS + 4; i++) ratios[i] = number(0, below(4) ? 40 : 900), amplitudes[i] = number(-0.2f, 0.2f);
  if (below(3))
    for (int i = 0; i < TS_PARTIALS + 4; i++) ratios[i] = isfinite(ratios[i]) ? ratios[i] : 1, amplitudes[i] = isfinite(amplitudes[i]) ? amplitudes[i] : 0;
  for (int i = 0; i < TS_PARTIALS + 4; i++) ratios[i] = ratios[i] < 0 && below(9) ? 0 : ratios[i];
  switch (below(13)) {
  case 0: status = ts_player_sound(player, slot, sounds[below(4)], whole(1, 2), below(9) ? SOUND / 2 : 0, whole(8000, 96000)); break;
  case 1:
  case 2:
    ts_voice_defaults(&voice);
    voice.sound = slot, voice.held = below(2), voice.tune = number(-24, 24), voice.gain = number(0, 1), voice.pan = number(-1, 1);
    voice.attack = number(0, 0.01f), voice.release = number(0, 0.1f), voice.choke = below(3), voice.reverse = below(2);
    status = ts_player_play(player, when(), -1, whole(0, 40), number(1, 127), &voice);
    break;
  case 3: status = ts_player_release(player, when(), whole(0, 40)); break;
  case 4: status = below(8) ? 0 : ts_player_silence(player, when(), -1); break;
  case 5: status = ts_player_master(player, when(), number(0, 2)); break;
  case 6:
  case 7:
  case 8:
    ts_held_voice(&held);
    held.kind = whole(0, 3), held.timbre = whole(0, 3), held.seed = word(), held.note = number(0, 140), held.gain = number(0, 4);
    held.pan = number(-1, 1), held.attack = number(0, below(3) ? 0.05f : 60), held.release = number(0, below(3) ? 0.05f : 60);
    status = ts_held_play(player, when(), whole(0, 40), number(1, 127), &held);
    break;
  case 9: {
    static const float LOW[] = {0, -96, 0, -1}, HIGH[] = {140, 96, 4, 1};
    const int32_t what = whole(0, 3), range = what & 3;
    status = ts_held_move(player, when(), whole(0, 40), what, number(LOW[range], HIGH[range]), number(0, below(3) ? 0.05f : 60));
    break;
  }
  case 10: status = ts_held_partials(player, when(), whole(0, 3), count, ratios, amplitudes, number(0, 0.1f)); break;
  default: {
    const ts_spectrum spectrum = {bins, number(0.1f, below(2) ? 20 : 1000), number(8, below(2) ? 400 : 20000), number(1, 4)};
    const float most = below(9) ? 0.5f : 1e6f;
    const int kind = below(4);
    for (int i = 0; i < TS_BINS; i++) magnitudes[i] = kind == 0 ? most : (float)below(1000) / 1000.0f * (kind == 1 ? most : (below(9) ? 0 : most));
    if (below(20) == 0) magnitudes[below(2049)] = number(0, 1);
    status = ts_held_spectrum(player, when(), whole(0, 3), &spectrum, magnitudes, number(0, 0.1f));
  }
  }
  free(magnitudes);
  return status;
}

int main(int count, char **words) {
  if (count < 4) return 2;
  state = strtoull(words[1], NULL, 10) * 77 + 5;
  const long calls = strtol(words[2], NULL, 10);
  const int threads = atoi(words[3]);
  ts_player_options options;
  ts_held_options held;
  ts_player_defaults(&options), ts_held_defaults(&held);
  options.sample_rate = threads ? 48000 : 8000 + below(184001), options.voices = 1 + below(20), options.sounds = 8;
  held.voices = 1 + below(6), held.timbres = 4, held.frames = 8, held.bins = below(9) ? 2049 : 0;
  ts_memory memory[3];
  const size_t sizes[3] = {ts_player_size(&options), ts_held_size(&held), ts_output_size(4096)};
  for (int i = 0; i < 3; i++) memory[i] = (ts_memory){malloc(2 * sizes[i] + 65536), 2 * sizes[i] + 65536, 0, ""}; /* sanitized parts have gaps */
  if (ts_player_open(&options, memory, &player) || ts_held_open(player, &held, memory + 1)) return 4;
  if (ts_held_open(player, &held, memory + 1) != 4 || ts_output_open(player, 2, 4096, memory + 2, &output)) return 5;
  float *sounds[4];
  for (int k = 0; k < 4; k++) {
    sounds[k] = malloc(SOUND * sizeof(float));
    for (int i = 0; i < SOUND; i++) sounds[k][i] = (float)below(1000) / 2000.0f - 0.25f;
  }
  long taken = 0;
  pthread_t thread;
  if (threads && pthread_create(&thread, NULL, audio, NULL)) return 6;
  for (long i = 0; i < calls; i++) {
    float kept[2 * 100];
    ts_output_state heard;
    taken += call(sounds) == 0;
    if (!threads && below(3) == 0) play(below(BLOCK));
    if (below(20) == 0) ts_output_take(output, kept, 100, NULL), ts_output_read(output, &heard);
  }
  atomic_store(&done, 1);
  if (threads) pthread_join(thread, NULL);
  printf("%ld\n", taken);
  for (int k = 0; k < 4; k++) free(sounds[k]);
  for (int i = 0; i < 3; i++) free(memory[i].base);
  return 0;
}
