/* timbrespace: plays instruments made by timbrespace, without any other library.

   Everything works in memory that the caller gives: no function allocates, locks, or opens a file. A ts_instrument is read-only after
   ts_open and may be used by several threads, each with a ts_memory of its own. The bytes of the file must stay while it is used.

       ts_memory memory = {malloc(ts_open_size(file, size)), ts_open_size(file, size)}, work;
       ts_instrument *instrument;
       if (ts_open(file, size, &memory, &instrument)) puts(memory.message);
       ts_info_of(instrument, &info);
       work.base = malloc(work.size = ts_work_size(instrument, 0));

       ts_draw_request draw;                                    a new sound: a latent of info.dims numbers
       ts_draw_defaults(&draw);
       ts_draw(instrument, &draw, NULL, 0, z, &drawn, &work);
       ts_render_request render;
       ts_render_defaults(&render);
       render.seed = ts_seed(draw.seed, draw.index), render.category = drawn.category;
       ts_render(instrument, z, &render, audio, info.capacity, &samples, &work);

   Functions that can fail return a ts_status, and say in `message` of the memory what was given and what is allowed. Any argument is
   checked: a call with bad ones returns TS_ARGUMENT and changes nothing. Numbers have sizes that C, Python's ctypes and WebAssembly share;
   a pointer or size_t has 4 bytes in WebAssembly. Samples are float, full scale is 1, channel after channel.                         */
#ifndef TIMBRESPACE_H
#define TIMBRESPACE_H

#include <stddef.h>
#include <stdint.h>

#if defined(_WIN32)
#define TS_API __declspec(dllexport)
#else
#define TS_API __attribute__((visibility("default")))
#endif

#define TS_ABI 1 /* changes with every change of this header that breaks a caller */

/* ts_status, the same as in the core: 0 fine, 1 the file is damaged or foreign, 2 of another version, 3 a family or setting that is not
   played here (timbrespace in Python may), 4 an argument is out of range or not finite, 5 the memory is too small. */
typedef int32_t ts_status;

typedef struct ts_instrument ts_instrument;

/* Memory to work in. After a call `used` is what it took at most, and `message` says in English what failed, "" for nothing. */
typedef struct {
  void *base;
  size_t size, used;
  char message[256];
} ts_memory;

TS_API int32_t ts_abi(void);
TS_API int32_t ts_supported(void); /* 0: this processor lacks instructions that the library needs; call nothing else then */
TS_API void ts_message(ts_status status, char *out, size_t size); /* a status in words */

/* --- instruments ---------------------------------------------------------------------------------------------------------------------- */

TS_API size_t ts_open_size(const void *file, size_t size); /* bytes that ts_open needs at most; 0: not an instrument file */
TS_API ts_status ts_open(const void *file, size_t size, ts_memory *memory, ts_instrument **out);

typedef struct {
  int32_t dims;          /* numbers of a latent */
  int32_t sample_rate;   /* Hz */
  int32_t channels;      /* 1 or 2 */
  int32_t samples;       /* of the longest sound, before finishing */
  int32_t capacity;      /* samples a channel that any finished sound fits in */
  int32_t categories;    /* their number, see ts_category */
  int32_t controls;      /* their number, see ts_control_of; 0 where the file has none */
  int32_t notes;         /* 1: sounds have a pitch, the last number of a latent */
  int32_t velocities;    /* 1: sounds have a velocity, the number before the pitch, or the last one */
  int32_t parts, bands, frames; /* of decoded levels, see ts_levels; frames: at most */
  int32_t steps;         /* of the phase search of new sounds */
  float lowest_pitch, highest_pitch;       /* MIDI numbers that may be asked for; 0 without notes */
  float learned_low, learned_high;         /* MIDI numbers of the training sounds */
  float lowest_velocity, highest_velocity; /* of the training sounds; 1 to 127 may be asked for; 0 without velocities */
} ts_info;
TS_API void ts_info_of(const ts_instrument *instrument, ts_info *out);

/* The name of category `index`, UTF-8, 0-terminated. Returns its length without the 0; 0 for no such category. */
TS_API size_t ts_category(const ts_instrument *instrument, int32_t index, char *out, size_t size);
TS_API int32_t ts_category_index(const ts_instrument *instrument, const char *name); /* -1: none */

typedef struct {
  char name[16], unit[4]; /* "brightness", "Hz" */
  char more[16], less[16]; /* "brighter", "darker" */
  int32_t logarithmic;    /* whether spreads are of the logarithm to base 2 of the value */
  float low, high;        /* how far a sound can typically be moved, in spreads */
  float lowest, highest;  /* values of the training sounds, in the unit */
  float spread;           /* one standard deviation of the training sounds: octaves of a logarithmic control, else in the unit */
} ts_control;
TS_API ts_status ts_control_of(const ts_instrument *instrument, int32_t index, ts_control *out);

/* --- latents -------------------------------------------------------------------------------------------------------------------------- */

TS_API uint64_t ts_seed(uint64_t seed, uint64_t index); /* the seed with which sound `index` of a batch is rendered */

typedef struct {
  uint64_t seed;     /* of the batch */
  int32_t index;     /* of the sound in its batch, from 0 */
  int32_t category;  /* -1: any, in the proportions of the corpus */
  float temperature; /* 0 to 4; 1: as the corpus */
  float pitch;       /* MIDI number; NaN: notes of the corpus */
  float velocity;    /* 1 to 127; NaN: those of the corpus */
  int32_t drafted;   /* 1: one draw, not drawn again where it would be unlike real sounds or like an earlier one: quick */
} ts_draw_request;
TS_API void ts_draw_defaults(ts_draw_request *out); /* seed 0, index 0, any category, temperature 1, NaN, NaN, 0 */

typedef struct {
  int32_t category; /* of the sound; -1: none */
  int32_t redrawn;  /* draws before it that were unlike real sounds */
} ts_drawn;

/* A latent [dims]. earlier: latents [count][dims] of the sounds before it in its batch, which it will not repeat; NULL, 0: none. */
TS_API ts_status ts_draw(const ts_instrument *instrument, const ts_draw_request *request, const float *earlier, int32_t count, float *z,
                         ts_drawn *out, ts_memory *work);

/* Variation `index` of a latent, `amount` (0 to 4) of the corpus's spread away; pitch and velocity stay. */
TS_API ts_status ts_around(const ts_instrument *instrument, const float *z, float amount, uint64_t seed, int32_t index, float *out,
                           ts_memory *work);

/* A latent changed by controls: amounts [controls] in spreads, -3 to 3; NaN: not asked for, it stays as far as it can.
   changes [controls]: what the step is expected to do, in spreads; may be NULL. */
TS_API ts_status ts_steer(const ts_instrument *instrument, const float *z, const float *amounts, float *out, float *changes, ts_memory *work);

/* Pitch and velocity inside a latent; NaN where the instrument has none. ts_set_…: in place, the other numbers stay. */
TS_API float ts_pitch(const ts_instrument *instrument, const float *z);
TS_API float ts_velocity(const ts_instrument *instrument, const float *z);
TS_API ts_status ts_set_pitch(const ts_instrument *instrument, float *z, float midi);
TS_API ts_status ts_set_velocity(const ts_instrument *instrument, float *z, float velocity);

/* --- sounds --------------------------------------------------------------------------------------------------------------------------- */

enum { TS_PEAK = 0, TS_LOUDNESS = 1, TS_KEEP = 2 };

typedef struct {
  uint64_t seed;     /* of phase, detail and noise, see ts_seed */
  int32_t category;  /* of the sound, as ts_draw gave it; -1: none */
  int32_t samples;   /* wanted length before finishing; 0: the decoded length */
  int32_t steps;     /* of the phase search, 0 to 1000; -1: info.steps */
  int32_t texture;   /* 1: a new sound, with detail or as a note; 0: the decoded levels alone */
  int32_t finish;    /* 1: start, end and level as below; 0: as rendered, with a peak of 1 */
  int32_t level;     /* TS_PEAK (target in dBFS), TS_LOUDNESS (LKFS of the loudest 0.4 s) or TS_KEEP */
  float target_db;   /* -100 to 0; NaN: -1 for TS_PEAK, -16 for TS_LOUDNESS */
  int32_t trim;      /* 1: a silent tail is cut and a start with a jump gets a ramp; 0: start and end stay */
  int32_t subsonics; /* 1: offset and what is under 10 Hz stay */
  int32_t reserved;  /* 0 */
} ts_render_request;
TS_API void ts_render_defaults(ts_render_request *out); /* 0, -1, 0, -1, 1, 1, TS_PEAK, NaN, 1, 0, 0 */

/* Bytes of work memory for a sound of at most `samples`; 0: for the longest, and for every other call. */
TS_API size_t ts_work_size(const ts_instrument *instrument, int32_t samples);

/* A latent [dims] to audio [channels][capacity]; samples: its length. Pitch and velocity are those inside the latent. */
TS_API ts_status ts_render(const ts_instrument *instrument, const float *z, const ts_render_request *request, float *audio, int32_t capacity,
                           int32_t *samples, ts_memory *work);

/* Decoded levels in dB under the loudest cell, [parts][frames][bands], for pictures; frames: of this sound. samples: wanted length, 0 the
   decoded one; out: the length. db: room for parts * info.frames * bands. */
TS_API ts_status ts_levels(const ts_instrument *instrument, const float *z, int32_t *samples, float *db, int32_t *frames, ts_memory *work);

/* A sound made from a given one: at another latent, with its detail, which fades with the distance. The sound is given in the view, all
   arrays one after the other in `sound`: levels, slow and fast detail and steadiness, each [parts][frames][bands], then magnitudes and phases
   (in turns) of its spectrum, each [parts][frames][bins]. timbrespace in Python measures it (synthesis/detail/source.py). */
typedef struct {
  uint64_t seed;  /* of phase and new detail */
  int32_t frames; /* of the given sound, 1 to info.frames */
  int32_t attack, held; /* its frame where the attack is over; frames after it that keep their speed */
  int32_t samples; /* of the result, 1 to info.samples */
  int32_t bins;    /* of its spectrum: half a window of the view and 1 */
  float level;     /* of its loudest cell, dB; what is given is under that */
  float kept;      /* of its detail, 0 to 1 */
  int32_t what;    /* of TS_SAMPLES and so on */
  float end;       /* out, of samples: the mean power of the last 8 frames of levels, dB */
} ts_near_request;
/* TS_SAMPLES: [channels][capacity] at the level of the given sound. TS_LEVELS: [parts][frames][bands] in dB under the loudest cell.
   TS_DESCRIPTORS: those of these levels, as ts_measure gives them: quick.
   samples: out, the samples of a channel, or the frames of levels. capacity: of a channel, or the numbers that `out` has room for. */
enum { TS_SAMPLES = 0, TS_LEVELS = 1, TS_DESCRIPTORS = 2 };
TS_API ts_status ts_near(const ts_instrument *instrument, const float *z, ts_near_request *request, const float *sound, float *out,
                         int32_t capacity, int32_t *samples, ts_memory *work);

/* Tones and noise of a note, in frames of the decoded levels: what ts_render makes it from, for voices that are held (ts_held_partials,
   ts_held_spectrum). Their level is as decoded, with the loudest cell at 0 dB. Of two channels it is the middle. TS_UNCOVERED: the instrument
   has no notes by oscillators; ts_note_bins is 0. */
enum { TS_TONES = 184, TS_LINES = 24 };
typedef struct {
  int32_t category; /* as in ts_render_request */
  int32_t count;    /* of frames that are asked for, 1 to info.frames */
  int32_t frames;   /* from here on out: frames of this note */
  int32_t bins;     /* of the noise in a frame: ts_note_bins */
  int32_t partials, lines; /* partials at multiples of the pitch, and others */
  float hop, spacing;      /* s between frames, Hz between bins */
  float hertz;             /* pitch */
  float flutter, wander, rate; /* of the levels of partials, dB; of the pitch, cents, and how often it turns, Hz */
  float places[TS_LINES];      /* frequency of the lines over the pitch */
} ts_note_request;
TS_API int32_t ts_note_bins(const ts_instrument *instrument);
/* frames [count]: numbers, from 0, not falling; after the end of a note its last one. tones [count][TS_TONES]: amplitudes of the partials,
   from TS_TONES - TS_LINES on of the lines. noise [count][bins]: power a Hz; a sine of amplitude 1 has a power of a half. */
TS_API ts_status ts_note_parts(const ts_instrument *instrument, const float *z, ts_note_request *request, const int32_t *frames, float *tones,
                               float *noise, ts_memory *work);

/* Nine descriptors of decoded levels, on the scales of audio/describe.py, NaN where samples are needed: brightness, decay, attack, noisiness,
   pitch, loudness, inharmonicity, length, low end. And the samples that a latent decodes to. */
TS_API ts_status ts_measure(const ts_instrument *instrument, const float *z, float *descriptors, ts_memory *work);
TS_API ts_status ts_length(const ts_instrument *instrument, const float *z, int32_t *samples, ts_memory *work);

/* --- playing -----------------------------------------------------------------------------------------------------------------------------

   A player mixes voices and plays patterns: sounds are buffers of the caller, at times that are exact to the sample. Two threads may use
   it: one calls ts_player_process, from the audio callback, which never waits; one other calls everything else. Every call is checked and
   put into a queue that the audio thread empties at the start of a block; TS_MEMORY: the queue is full, try again after the next block.
   The same calls give the same samples whatever the lengths of the blocks are.

   Times are samples since ts_player_open; a time in the past, as 0, is at once. Positions are in ticks, TS_TICKS to a beat (a quarter). */

enum { TS_TICKS = 40320, TS_LANES = 16, TS_STEPS = 64 };

typedef struct ts_player ts_player;

typedef struct {
  int32_t sample_rate; /* 8000 to 192000 */
  int32_t voices;      /* at most that many sound at once, 1 to 256; over it the quietest, of equals the oldest, fades out in 5 ms */
  int32_t sounds;      /* slots, 1 to 4096 */
  int32_t commands;    /* room in the queue, 64 to 65536 */
  float curve;         /* of velocity: the amplitude is (velocity / 127) ^ curve, 0 to 4 */
} ts_player_options;
TS_API void ts_player_defaults(ts_player_options *out); /* 44100, 64, 128, 2048, 1.5 */
TS_API size_t ts_player_size(const ts_player_options *options); /* 0: an option is out of range */
TS_API ts_status ts_player_open(const ts_player_options *options, ts_memory *memory, ts_player **out);

/* Adds nothing, replaces: left and right, `frames` samples each, 0 or more, never over full scale and never NaN. */
TS_API void ts_player_process(ts_player *player, float *left, float *right, int32_t frames);

/* A sound [channels][length] for a slot; it must stay and not change while ts_player_uses says so. length 0: none. What plays from the slot
   fades out in 5 ms. Up to 2^30 samples, 1 or 2 channels, 8000 to 192000 Hz. */
TS_API ts_status ts_player_sound(ts_player *player, int32_t slot, const float *samples, int32_t channels, int64_t length,
                                 int32_t sample_rate);
TS_API int32_t ts_player_uses(const ts_player *player, const float *samples); /* 1 while the audio thread may read there */

/* How a sound is played, by a lane or by hand. */
typedef struct {
  int32_t sound;     /* slot; -1: none */
  int32_t choke;     /* 1 and up: sounds of this group end what plays in it, within 5 ms; 0: no group */
  int32_t reverse;   /* 1: from its end to its start */
  int32_t held;      /* 1: until it is let go, see gate and ts_player_release, then `release`; 0: to its end */
  float gain;        /* 0 to 4, factor */
  float pan;         /* -1 left to 1 right */
  float tune;        /* semitones, -24 to 24 */
  float start;       /* s into the sound */
  float attack, hold, decay; /* s: from silence, at full, to silence; decay 0: to the end of the sound */
  float release;     /* s, from when it is let go */
} ts_voice;
TS_API void ts_voice_defaults(ts_voice *out); /* slot 0; as it is: 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0.05 */

/* Plays a sound at a time. lane: whose mute, solo and level hold for it, -1: none. velocity: 1 to 127. id: for ts_player_release. */
TS_API ts_status ts_player_play(ts_player *player, int64_t time, int32_t lane, int32_t id, float velocity, const ts_voice *voice);
TS_API ts_status ts_player_release(ts_player *player, int64_t time, int32_t id);   /* lets go held sounds of this id */
/* Plays what was played with this id on at another speed, `semitones` (-24 to 24) from its own; it goes on where it is. Fades keep their times. */
TS_API ts_status ts_player_bend(ts_player *player, int64_t time, int32_t id, float semitones);
TS_API ts_status ts_player_silence(ts_player *player, int64_t time, int32_t lane); /* fades out what a lane plays; -1: all */
TS_API ts_status ts_player_master(ts_player *player, int64_t time, float gain);    /* 0 to 16, in 5 ms; above -2 dBFS a soft limit */

/* A parameter of a lane moves about what is set, at most `depth` away, smoothly from one random value to the next within `period` steps. */
typedef struct {
  float depth;    /* in the unit of the parameter; 0: it does not move */
  int32_t period; /* steps, 1 to 1024, where it moves */
} ts_walk;
enum { TS_WALK_VELOCITY, TS_WALK_PAN, TS_WALK_TUNE, TS_WALK_START, TS_WALK_DECAY, TS_WALKS };

typedef struct {
  ts_voice voice;
  int32_t length;   /* steps, 1 to TS_STEPS: lanes of other lengths move against each other */
  int32_t division; /* steps to a beat, 1 to 16 but not 11 or 13 */
  int32_t mute, solo; /* 1: the lane is silent; only lanes with solo can be heard */
  float level;      /* 0 to 4, factor; reached in 5 ms */
  float swing;      /* 0.5 to 0.75: where in a pair of steps the second one begins; 0.5 straight, 2/3 as triplets */
  ts_walk walks[TS_WALKS];
} ts_lane;
TS_API void ts_lane_defaults(ts_lane *out); /* ts_voice_defaults; 16, 4, 0, 0, 1, 0.5, no walks */

typedef struct {
  float velocity;   /* 1 to 127; 0: a rest */
  float chance;     /* 0 to 1: how often it is played */
  float tune;       /* semitones, added to the lane's, -24 to 24 in all */
  float gate;       /* of a held sound: steps until it is let go, 0 to 64 */
  int32_t ratchets; /* 1 to 8: played that many times within the step */
} ts_step;

TS_API ts_status ts_player_lane(ts_player *player, int64_t time, int32_t index, const ts_lane *lane);
TS_API ts_status ts_player_steps(ts_player *player, int64_t time, int32_t lane, int32_t first, int32_t count, const ts_step *steps);
TS_API ts_status ts_player_seed(ts_player *player, int64_t time, uint64_t seed); /* of chance and walks: one seed, one beat */

/* Beats a minute, 10 to 999, in thousandths. While a pattern plays it changes at the next sixteenth. */
TS_API ts_status ts_player_tempo(ts_player *player, int64_t time, double tempo);
TS_API ts_status ts_player_start(ts_player *player, int64_t time, int64_t tick); /* from a position, 0 to 2^40; -1: where it stopped */
TS_API ts_status ts_player_stop(ts_player *player, int64_t time);                /* no more steps; held sounds of lanes are let go */

typedef struct {
  int64_t time, tick;      /* after the last block */
  int32_t playing, voices; /* whether a pattern plays; sounding */
  int32_t waiting;         /* commands that were not carried out yet */
  float peak;              /* of the last block, before the soft limit */
  double tempo;
} ts_player_state;
TS_API void ts_player_read(const ts_player *player, ts_player_state *out);

/* What step `number` (from 0, over all repetitions) of a lane plays: the same whenever and in whatever order it is asked. */
typedef struct {
  int64_t tick, length; /* where it begins, and ticks to the next step */
  int32_t played;       /* 0: a rest, or its chance said no */
  int32_t ratchets;
  float velocity, pan, tune, start, decay; /* with walks */
} ts_hit;
TS_API ts_status ts_lane_hit(const ts_lane *lane, int32_t index, const ts_step *step, uint64_t seed, int64_t number, ts_hit *out);

/* `pulses` of `steps` (1 to 64) as evenly as can be (Bjorklund 2003), turned left by `rotation` steps: bit k is step k. */
TS_API uint64_t ts_euclid(int32_t pulses, int32_t steps, int32_t rotation);

/* --- held sounds -------------------------------------------------------------------------------------------------------------------------

   Voices whose sound is made while they are held: a bank of oscillators, or an inverse Fourier transform with streaming phase. They are
   mixed with what a player plays, before its master. A timbre is a slot for how they sound now: the thread that commands the player hands
   frames over as often as it likes, and all voices of the timbre follow them. ts_player_release and ts_player_silence hold for them too. */

enum { TS_PARTIALS = 256, TS_BINS = 4097, TS_BANK = 0, TS_SPECTRUM = 1, TS_NOISE_BANK = 2, TS_NOISE_SPECTRUM = 3 };

typedef struct {
  int32_t voices;  /* held at once, 1 to 64; over it one that was let go, else the oldest, fades out in 5 ms */
  int32_t timbres; /* slots, 1 to 192 */
  int32_t frames;  /* room for those that were not taken over yet, 4 to 1024 */
  int32_t bins;    /* of the largest spectrum, 8 to TS_BINS; 0: no spectra */
} ts_held_options;
TS_API void ts_held_defaults(ts_held_options *out); /* 32, 16, 64, 2049 */
TS_API size_t ts_held_size(const ts_held_options *options); /* 0: an option is out of range */
/* Gives a player held voices: once, before its first ts_player_process. The memory must stay as long as the player's. */
TS_API ts_status ts_held_open(ts_player *player, const ts_held_options *options, ts_memory *memory);

typedef struct {
  int32_t kind;    /* TS_BANK: the timbre's partials; TS_SPECTRUM: its spectrum, by an inverse transform; TS_NOISE_BANK: its partials, and its
                      spectrum as noise alone; TS_NOISE_SPECTRUM: the same, both by an inverse transform */
  int32_t timbre;  /* slot */
  uint32_t seed;   /* of the phases at the start, and of noise; 0: partials start together, at 0 */
  float note;      /* MIDI number, 0 to 140, with parts of a semitone */
  float gain, pan; /* 0 to 4; -1 to 1 */
  float attack, release; /* s, 0 to 60: smooth slopes from and to silence */
} ts_held;
TS_API void ts_held_voice(ts_held *out); /* TS_BANK, 0, 0, 60, 1, 0, 0.01, 0.1 */

/* Starts a voice. id: for ts_player_release and ts_held_move, 0 and up. velocity: 1 to 127, by the player's curve. */
TS_API ts_status ts_held_play(ts_player *player, int64_t time, int32_t id, float velocity, const ts_held *held);

/* Moves a number of the held voices of this id to a value, in a straight line within `seconds` (0 to 60; at least 64 samples). */
enum { TS_MOVE_NOTE, TS_MOVE_BEND, TS_MOVE_GAIN, TS_MOVE_PAN, TS_MOVES };
/* TS_MOVE_NOTE: as ts_held.note; TS_MOVE_BEND: semitones added to it, -96 to 96; the others as in ts_held. */
TS_API ts_status ts_held_move(ts_player *player, int64_t time, int32_t id, int32_t what, float value, float seconds);

/* Partials of a timbre: ratios of their frequency to the note's, 0 to 1000, and amplitudes, -16 to 16; those after `count` fall silent.
   Reached in a straight line within `seconds`, 0 to 60: the time between two frames makes a movement without steps; 0, and for
   the first ones, at once. Partials fade out between 0.45 and 0.49 of the sample rate. The arrays are copied. TS_MEMORY: no room, try again after the
   next block. */
TS_API ts_status ts_held_partials(ts_player *player, int64_t time, int32_t timbre, int32_t count, const float *ratios,
                                  const float *amplitudes, float seconds);

/* A spectrum: `bins` magnitudes, `spacing` Hz apart from 0 Hz up; a sine of amplitude a has a peak of a. Its pitch is moved to that of the
   note. Peaks become sines whose phase goes on from frame to frame, the rest becomes noise. */
typedef struct {
  int32_t bins;    /* 8 to the held voices' largest */
  float spacing;   /* Hz, 0.1 to 1000 */
  float hertz;     /* pitch of the sound as it is, 8 to 20000 */
  float bandwidth; /* of the analysis window's noise, in bins, 1 to 4: 1.36 Hamming, 1.5 Hann */
} ts_spectrum;
TS_API ts_status ts_held_spectrum(ts_player *player, int64_t time, int32_t timbre, const ts_spectrum *spectrum, const float *magnitudes,
                                  float seconds);

/* The peaks of a spectrum as partials for a bank, so that both kinds play it: slot i of `count` (1 to TS_PARTIALS) holds the largest peak
   around i + 1 times the pitch / each, `each` (1 to 8) being the slots from one harmonic to the next, or an amplitude of 0. So a partial keeps
   its slot from spectrum to spectrum. Noise is left out. */
TS_API ts_status ts_spectrum_partials(const ts_spectrum *spectrum, const float *magnitudes, int32_t each, int32_t count, float *ratios,
                                      float *amplitudes);

/* --- audio devices -----------------------------------------------------------------------------------------------------------------------

   ts_output_callback has the signature of PortAudio's PaStreamCallback, for float samples, interleaved; `data` is a ts_output. It never
   waits. What it plays may also be taken by one other thread, for a recording. */

typedef struct ts_output ts_output;
TS_API size_t ts_output_size(int32_t room); /* room: frames for ts_output_take, a power of 2, 0 to 2^24; 0: another number */
TS_API ts_status ts_output_open(ts_player *player, int32_t channels, int32_t room, ts_memory *memory, ts_output **out); /* 1 or 2 */
TS_API int ts_output_callback(const void *input, void *samples, unsigned long frames, const void *times, unsigned long flags, void *data);
/* Frames [count][channels] that were played since the last call, at most `most`; *lost: those for which there was no room, in all. */
TS_API int32_t ts_output_take(ts_output *output, float *samples, int32_t most, int64_t *lost);

typedef struct {
  int64_t blocks, frames;        /* played */
  int64_t underflows, overflows; /* blocks before which the device ran dry, or input was lost: PortAudio's flags */
  int32_t shortest, longest;     /* frames of a block */
  float peak;                    /* since the last call of ts_output_read, of what is played */
  double time, latency;          /* s: of the device's clock at the last block, and until its first frame is played; 0: unknown */
} ts_output_state;
TS_API void ts_output_read(ts_output *output, ts_output_state *out);

#endif
