"""The words for categories of sound. A word of several parts ("bass drum") wins over its parts."""

from __future__ import annotations

# Category -> words. Plurals in -s are recognised; words of several parts match consecutive parts of a name.
DRUMS: dict[str, str] = {
    "kick": "kick, kik, kck, bd, bass drum, bassdrum, drum bass, kick drum, kickdrum, grosse caisse, bombo, "
    "grosse trommel, grancassa, gran cassa, bumbo",
    "snare": "snare, snr, sn, sd, snare drum, snaredrum, caisse claire, redoblante, kleine trommel, caja, caixa, rullante",
    "hat": "hat, hihat, hi hat, hh, chh, ohh, hhat, hht, closed hat, open hat, closedhat, openhat, closehat, openhihat, closehihat, "
    "closedhihat, pedalhihat, pedalhat, hhclosed, hhopen, hhpedal, hho, hhc, hhp, cymbal closed, cymbal open, cymbal pedal, charley",
    "tom": "tom, tomtom, floortom, floor tom, tomh, toml, tomm, rototom, tom1, tom2, tom3, tom4",
    "clap": "clap, handclap, hand clap, clp, klatschen, palmas",
    "cymbal": "cymbal, cym, cymb, crash, ride, splash, china, crashride, ridebell, sizzle, gong, becken, "
    "cymbale, piatti, piatto, platillo, prato",
    "rim": "rim, rimshot, rim shot, rimclick, rim click, sidestick, side stick, cross stick, crossstick, xstick",
    "cowbell": "cowbell, cow bell, kuhglocke, cencerro",
    "shaker": "shaker, shake, maraca, cabasa, caxixi, egg",
    "tambourine": "tambourine, tamb, tambo, tamborine, pandeiro, schellenkranz, pandereta",
    "conga": "conga, tumba, quinto",
    "bongo": "bongo",
    "tabla": "tabla, dayan, bayan",
    "djembe": "djembe, dununba, dundun, kenkeni, sangban",
    "agogo": "agogo",
    "woodblock": "woodblock, wood block, templeblock, temple block",
    "clave": "clave, claves",
    "cajon": "cajon",
    "timbale": "timbale",
    "triangle": "triangle, triangel",
    "guiro": "guiro",
    "snap": "snap, fingersnap, finger snap",
}
DRUMS_GENERAL: dict[str, str] = {"percussion": "percussion, perc, prc, stick, drum hit"}
# Abbreviations that mean a drum only among drums: the first or last part of a name, in a folder where other names are drums.
DRUM_SHORT: dict[str, str] = {
    "kick": "k, bsd",
    "hat": "ho, hc, hp, ch, oh, ph",
    "tom": "lt, mt, ht, ft, t1, t2, t3, t4",
    "clap": "cp",
    "cymbal": "cc, rc, cy, cr, rd, cra",
    "rim": "rs, sr, rm, ss",
    "cowbell": "cb",
}
NOTES: dict[str, str] = {
    "guitar": "guitar, gtr, guit, gitarre, gitarren, guitare, chitarra",
    "bass": "bass, sub bass, subbass, bass guitar, basse, bajo, basso, baixo",
    "plucked": "plucked, pluck, pizz, pizzicato",
    "bell": "bell, chime, glocken, tubular bell, carillon, music box, glocke, cloche, campana",
    "strings": "string, strings, str ensemble, streicher, cordes, cuerdas, archi",
    "pad": "pad",
    "piano": "piano, pno, grand piano, klavier",
    "brass": "brass, blaser, cuivres, ottoni",
    "e-piano": "epiano, e piano, electric piano, rhodes, wurli, wurlitzer, elpiano",
    "wind": "wind, woodwind",
    "organ": "organ, hammond, orgue, orgel",
    "pulsing": "pulsing, pulse",
    "vocal": "vocal, vox, voice, vocals, singing, voix, stimme, stimmen, gesang, voz, voces, voce, voci",
    "lead": "lead",
    "arp": "arp, arpeggio",
    "choir": "choir, chorus, chor, choeur",
    "violin": "violin, vln, violon, geige, violino",
    "viola": "viola, vla, bratsche",
    "cello": "cello, violoncello, vcl, violoncelle",
    "contrabass": "contrabass, double bass, doublebass, upright bass, contrebasse, kontrabass",
    "flute": "flute, flauta, flote",
    "piccolo": "piccolo",
    "recorder": "recorder",
    "oboe": "oboe",
    "clarinet": "clarinet, klarinette",
    "bassoon": "bassoon, fagott",
    "saxophone": "saxophone, sax",
    "trumpet": "trumpet, trompete, trompette",
    "trombone": "trombone, posaune",
    "horn": "horn, french horn, horns",
    "tuba": "tuba",
    "harp": "harp",
    "harpsichord": "harpsichord, cembalo, clavecin",
    "clavinet": "clavinet, clav",
    "vibraphone": "vibraphone, vibes",
    "marimba": "marimba",
    "xylophone": "xylophone",
    "glockenspiel": "glockenspiel",
    "celesta": "celesta, celeste",
    "kalimba": "kalimba, mbira, sansula",
    "steelpan": "steelpan, steel pan, steeldrum, steel drum",
    "accordion": "accordion",
    "harmonica": "harmonica",
    "banjo": "banjo",
    "mandolin": "mandolin",
    "ukulele": "ukulele, uke",
    "sitar": "sitar",
    "timpani": "timpani, pauken",
}
GENERAL: dict[str, str] = {
    "synth": "synth, synthesizer, synthesiser, syn",
    "synth makes": "synth makes, synth make",
    "fx": "fx, sfx, effect, riser, impact, noise",
}


def _listed(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Words that are recognised within others ('jsnare', 'snaretop'): long or rare enough not to be part of another word.
GLUED = _listed(
    """snare kick clap hihat openhat crash cymbal shaker tambourine cowbell bongo conga tabla guitar piano violin flute rimshot tomtom"""
)
DRUM_FOLDER_WORDS = _listed("""drum drums drumkit drumkits beat beats percussion perc kit kits breaks""")
# Words beside a category that do not change the meaning of a folder name.
FILLERS = _listed(
    """sample samples one shot shots oneshot oneshots hit hits sound sounds wav wavs aif aiff flac mp3 drum drums
    acoustic electric electronic analog analogue digital dry wet clean processed mono stereo my the a of and
    new old vintage live studio single singles multi raw best"""
)
# Words behind a category that say which of its sounds: 'Hi-Hats Closed', 'Toms Low'.
QUALIFIERS = _listed(
    """closed close open pedal low lo high hi mid floor soft hard long short roll rolls tight loud quiet big small
    geschlossen offen tief hoch"""
)
NOT_A_CLASS = _listed("""kit kits drumkit drumkits pack packs vol volume library collection edition construction""")
# Folder names of only these, fillers, numbers and single letters are no category.
NOT_TELLING = _listed(
    """audio music file files folder folders recording recordings record rec take takes session sessions project projects bank banks
    disc disk cd part parts set sets series loop loops data dataset train training test testing validation valid val eval fold
    misc miscellaneous other others various unsorted sorted stuff temp tmp untitled unnamed all more extra extras bonus free
    bpm tempo key min maj minor major khz hz bit kbps sr bits ogg oga opus wave caf rex mid midi ep lp ver version
    rr vel velocity layer layers
    soft softer softest loud louder loudest hard harder hardest medium med mid quiet left right short long low high
    jan feb mar apr jun jul aug sep oct nov dec january february march april may june july august september october november december
    user users preset presets assets src res info pycache zoom media ste slow fast
    cmin dmin emin fmin gmin amin bmin cmaj dmaj emaj fmaj gmaj amaj bmaj
    contents content export exports exported bounce bounces render renders rendered source sources raw original originals
    downloads download desktop documents backup copy category categories class classes type types by producer artist label"""
)
