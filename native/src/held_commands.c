/* The commanding thread's side of held voices: memory, checks, and frames that are copied for the audio thread. */
#include "held.h"

static int in(double x, double low, double high) { return x >= low && x <= high; } /* no for NaN */

void ts_held_defaults(ts_held_options *out) { *out = (ts_held_options){32, 16, 64, 2049}; }

void ts_held_voice(ts_held *out) { *out = (ts_held){.note = 60.0f, .gain = 1.0f, .attack = 0.01f, .release = 0.1f}; }

static int options_fit(const ts_held_options *o) {
  return o && o->voices >= 1 && o->voices <= 64 && o->timbres >= 1 && o->timbres <= 192 && o->frames >= 4 && o->frames <= 1024 &&
         (o->bins == 0 || (o->bins >= 8 && o->bins <= TS_BINS));
}

static size_t values_of(int32_t bins) { return (size_t)(bins > 2 * TS_PARTIALS ? bins : 2 * TS_PARTIALS); }

static Status take_glide(Glide *glide, size_t count, Arena *arena) {
  glide->from = TAKE(arena, float, count), glide->to = TAKE(arena, float, count);
  if (!glide->from || !glide->to) return TS_MEMORY;
  for (size_t i = 0; i < count; i++) glide->from[i] = glide->to[i] = 0.0f;
  glide->move = (Move){{1.0f, 1.0f, 0}, 1};
  return TS_OK;
}

static Status take_transform(HeldVoices *held, Arena *arena) {
  const size_t bins = (size_t)held->bins, work = 17 * WINDOW * sizeof(float) + 4096; /* as fft_inverse takes it */
  held->magnitudes = TAKE(arena, float, ROUND_BINS(bins)), held->levels = TAKE(arena, float, ROUND_BINS(bins));
  held->spectrum = TAKE(arena, float, WINDOW + 2), held->lobe = TAKE(arena, float, LOBE * FINE + 2);
  held->work = (Arena){TAKE(arena, unsigned char, work), work, 0, 0};
  if (!held->magnitudes || !held->levels || !held->spectrum || !held->lobe || !held->work.base) return TS_MEMORY;
  inverse_open(held);
  return fft_open(&held->fft, WINDOW, arena);
}

static Status fill(HeldVoices *held, const ts_held_options *options, Arena *arena) {
  *held = (HeldVoices){.limit = options->voices, .slots = 2 * options->voices, .timbres = options->timbres, .frames = options->frames};
  held->bins = options->bins;
  held->voices = TAKE(arena, Held, held->slots), held->timbre = TAKE(arena, Timbre, held->timbres);
  held->frame = TAKE(arena, Frame, held->frames);
  if (!held->voices || !held->timbre || !held->frame) return TS_MEMORY;
  for (int32_t i = 0; i < held->slots; i++) {
    Held *voice = held->voices + i;
    *voice = (Held){.bank = TAKE(arena, Bank, 1), .inverse = held->bins ? TAKE(arena, Inverse, 1) : NULL};
    if (!voice->bank || (held->bins && !voice->inverse)) return TS_MEMORY;
  }
  for (int32_t i = 0; i < held->timbres; i++) {
    held->timbre[i] = (Timbre){.bins = 0};
    if (take_glide(&held->timbre[i].partials, 2 * TS_PARTIALS, arena)) return TS_MEMORY;
    if (take_glide(&held->timbre[i].spectrum, ROUND_BINS(held->bins), arena)) return TS_MEMORY;
  }
  for (int32_t i = 0; i < held->frames; i++) {
    held->frame[i] = (Frame){.values = TAKE(arena, float, values_of(held->bins))};
    if (!held->frame[i].values) return TS_MEMORY;
  }
  return held->bins ? take_transform(held, arena) : TS_OK;
}

size_t ts_held_size(const ts_held_options *options) {
  if (!options_fit(options)) return 0;
  const size_t voices = 2 * (size_t)options->voices, timbres = (size_t)options->timbres, bins = (size_t)options->bins;
  const size_t each = sizeof(Held) + sizeof(Bank) + (bins ? sizeof(Inverse) : 0);
  size_t size = sizeof(HeldVoices) + voices * each + timbres * (sizeof(Timbre) + 2 * (2 * TS_PARTIALS + ROUND_BINS(bins)) * sizeof(float));
  size += (size_t)options->frames * (sizeof(Frame) + values_of(options->bins) * sizeof(float));
  size += 2 * ROUND_BINS(bins) * sizeof(float) + 128 * WINDOW + 64 * FINE; /* the transform and its work */
  return size + (3 * voices + 5 * timbres + 2 * (size_t)options->frames + 16) * 128;
}

ts_status ts_held_open(ts_player *player, const ts_held_options *options, ts_memory *memory) {
  if (!memory) return TS_ARGUMENT;
  memory->used = 0, memory->message[0] = 0;
  if (!player || player->held || !options_fit(options)) return TS_ARGUMENT;
  Arena arena = {memory->base, memory->base ? memory->size : 0, 0, 0};
  HeldVoices *held = memory->base ? TAKE(&arena, HeldVoices, 1) : NULL;
  if (!held) return TS_MEMORY;
  Status status = fill(held, options, &arena);
  memory->used = arena.peak;
  if (status == TS_OK) player->held = held;
  return status;
}

ts_status ts_held_play(ts_player *player, int64_t time, int32_t id, float velocity, const ts_held *held) {
  const HeldVoices *voices = player->held;
  if (!voices || !held || id < 0 || !in(velocity, 1, 127) || held->timbre < 0 || held->timbre >= voices->timbres) return TS_ARGUMENT;
  if (held->kind < TS_BANK || held->kind > TS_NOISE_SPECTRUM || (held->kind != TS_BANK && !voices->bins)) return TS_ARGUMENT;
  if (!in(held->note, 0, 140) || !in(held->gain, 0, 4) || !in(held->pan, -1, 1)) return TS_ARGUMENT;
  if (!in(held->attack, 0, 60) || !in(held->release, 0, 60)) return TS_ARGUMENT;
  return player_put(player, (Command){PUT_HELD, held->timbre, time, .held = {*held, id, velocity}});
}

ts_status ts_held_move(ts_player *player, int64_t time, int32_t id, int32_t what, float value, float seconds) {
  static const float LOW[TS_MOVES] = {0, -96, 0, -1}, HIGH[TS_MOVES] = {140, 96, 4, 1};
  if (!player->held || id < 0 || what < 0 || what >= TS_MOVES || !in(value, LOW[what], HIGH[what])) return TS_ARGUMENT;
  if (!in(seconds, 0, 60)) return TS_ARGUMENT;
  return player_put(player, (Command){PUT_MOVE, id, time, .move = {what, value, seconds}});
}

/* A frame that nothing waits for any more; NULL: none. */
static Frame *free_frame(HeldVoices *held) {
  for (int32_t i = 0; i < held->frames; i++) {
    Frame *frame = held->frame + (held->next_frame + i) % held->frames;
    if (atomic_load_explicit(&frame->taken, memory_order_acquire)) continue;
    held->next_frame = (int32_t)(frame - held->frame) + 1;
    return frame;
  }
  return NULL;
}

static ts_status put_frame(ts_player *player, int64_t time, int32_t timbre, int32_t kind, Frame *frame) {
  atomic_store_explicit(&frame->taken, 1, memory_order_relaxed);
  const int32_t number = (int32_t)(frame - player->held->frame);
  const Status status = player_put(player, (Command){PUT_FRAME, timbre, time, .frame = {kind, number}});
  if (status != TS_OK) atomic_store_explicit(&frame->taken, 0, memory_order_relaxed);
  return status;
}

static int all_in(const float *x, int32_t count, float low, float high) {
  int fine = 1;
  for (int32_t i = 0; i < count; i++) fine &= in(x[i], low, high);
  return fine;
}

ts_status ts_held_partials(ts_player *player, int64_t time, int32_t timbre, int32_t count, const float *ratios, const float *amplitudes,
                           float seconds) {
  HeldVoices *held = player->held;
  if (!held || timbre < 0 || timbre >= held->timbres || count < 0 || count > TS_PARTIALS || !in(seconds, 0, 60)) return TS_ARGUMENT;
  if (count && (!ratios || !amplitudes || !all_in(ratios, count, 0, 1000) || !all_in(amplitudes, count, -16, 16))) return TS_ARGUMENT;
  Frame *frame = free_frame(held);
  if (!frame) return TS_MEMORY;
  frame->count = count, frame->seconds = seconds;
  for (int32_t i = 0; i < count; i++) frame->values[i] = ratios[i], frame->values[TS_PARTIALS + i] = amplitudes[i];
  return put_frame(player, time, timbre, TS_BANK, frame);
}

static int spectrum_fits(const ts_spectrum *spectrum, int32_t most, const float *magnitudes) {
  return spectrum && magnitudes && spectrum->bins >= 8 && spectrum->bins <= most && in(spectrum->spacing, 0.1, 1000) &&
         in(spectrum->hertz, 8, 20000) && in(spectrum->bandwidth, 1, 4) && all_in(magnitudes, spectrum->bins, 0, 1e6f);
}

ts_status ts_held_spectrum(ts_player *player, int64_t time, int32_t timbre, const ts_spectrum *spectrum, const float *magnitudes,
                           float seconds) {
  HeldVoices *held = player->held;
  if (!held || timbre < 0 || timbre >= held->timbres || !in(seconds, 0, 60)) return TS_ARGUMENT;
  if (!spectrum_fits(spectrum, held->bins, magnitudes)) return TS_ARGUMENT;
  Frame *frame = free_frame(held);
  if (!frame) return TS_MEMORY;
  frame->count = spectrum->bins, frame->spectrum = *spectrum, frame->seconds = seconds;
  for (int32_t i = 0; i < spectrum->bins; i++) frame->values[i] = magnitudes[i];
  return put_frame(player, time, timbre, TS_SPECTRUM, frame);
}

ts_status ts_spectrum_partials(const ts_spectrum *spectrum, const float *magnitudes, int32_t each, int32_t count, float *ratios,
                               float *amplitudes) {
  float places[PEAKS], levels[TS_BINS], sizes[PEAKS];
  Lobe lobe;
  if (!spectrum_fits(spectrum, TS_BINS, magnitudes) || each < 1 || each > 8 || count < 1 || count > TS_PARTIALS || !ratios || !amplitudes)
    return TS_ARGUMENT;
  lobe_of(&lobe, spectrum->bandwidth);
  const float pitch = spectrum->hertz / spectrum->spacing;
  const int32_t found = find_peaks(magnitudes, spectrum->bins, pitch, &lobe, places, sizes, levels);
  for (int32_t i = 0; i < count; i++) ratios[i] = (float)(i + 1) / (float)each, amplitudes[i] = 0.0f;
  for (int32_t k = 0; k < found; k++) {
    const float ratio = places[k] / pitch, slot = ts_floorf(ratio * (float)each - 0.5f);
    if (slot < 0.0f || slot >= (float)count || sizes[k] <= amplitudes[(int32_t)slot]) continue;
    ratios[(int32_t)slot] = ratio, amplitudes[(int32_t)slot] = sizes[k];
  }
  return TS_OK;
}
