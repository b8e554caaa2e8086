/*-------------------------------------------------------------------------
 *
 * languages.c
 *	  What the languages add to the rules: abbreviations, ordinals, dialogue.
 *
 *-------------------------------------------------------------------------
 */
#include "segment/languages.h"

#include <string.h>

#include "base/utf8.h"
#include "segment/chars.h"

#include <unicode/uchar.h>

#define WORDS(list) {list, sizeof(list) / sizeof(list[0])}
/* One with words of all kinds */
#define LANGUAGE(code, flags) \
	{#code, flags, WORDS(code ## _never), WORDS(code ## _number), \
		WORDS(code ## _capital), WORDS(code ## _starter), WORDS(code ## _starters)}

/* No word of the tables is longer, in bytes. */
#define MAX_WORD	32

static const char *const de_never[] = {
	"a.D", "allg", "amtl", "angekl", "approx", "architekt", "bes", "bspw", "bzgl", "bzw",
	"ca", "d.h", "d.i", "dgl", "dipl", "dr", "ebf", "ehem", "eigtl", "einschl", "entspr",
	"etwa", "evtl", "fam", "fr", "geb", "gegr", "gem", "gest", "ggf", "ggfs", "grds",
	"griech", "hl", "hptm", "hr", "i.A", "i.S.d", "i.V", "i.d.R", "inh", "inkl", "insb",
	"insbes", "jr", "kath", "kgl", "lat", "lt", "m.E", "maj", "max", "med", "min", "mind",
	"mio", "mrd", "nat", "nördl", "o.g", "o.ä", "phil", "prof", "prot", "rd", "rel", "rer",
	"schweiz", "sen", "sog", "sogen", "st", "stellv", "südl", "techn", "tsd", "u", "u.U",
	"u.a", "u.v.m", "u.ä", "vgl", "vorm", "westl", "wiss", "z", "z.B", "z.T", "z.Z", "zt",
	"zzgl", "zzt", "ä", "österr", "östl"
};

static const char *const de_number[] = {
	"abb", "abs", "abschn", "anh", "anl", "anm", "apr", "art", "aufl", "aug", "bd", "bde",
	"bearb", "bl", "bsp", "dez", "einl", "feb", "febr", "ff", "fig", "gl", "hs", "jan", "jg",
	"jh", "jhd", "jul", "jun", "kap", "lfd", "lit", "mrz", "nov", "nr", "nrn", "okt", "par",
	"pos", "rdnr", "rn", "rz", "s", "sep", "sept", "sp", "str", "tab", "taf", "tel", "tit",
	"ver", "verf", "vers", "vol", "zi", "zif", "ziff"
};

static const char *const de_capital[] = {
	"chr", "co", "etc", "ges", "gmbh", "u.s.w", "usf", "usw", "verl"
};

static const char *const de_starters[] = {
	"Aber", "Als", "Am", "Auch", "Auf", "Aus", "Bei", "Beim", "Bis", "Da", "Dabei", "Dadurch",
	"Dafür", "Daher", "Damit", "Danach", "Dann", "Das", "Dass", "Dazu", "Dem", "Den", "Denn",
	"Der", "Deren", "Des", "Deshalb", "Dessen", "Die", "Dies", "Diese", "Dieser", "Dieses",
	"Doch", "Dort", "Durch", "Ein", "Eine", "Einem", "Einen", "Einer", "Er", "Erst", "Es",
	"Etwa", "Für", "Gegen", "Hier", "Hingegen", "Ich", "Ihr", "Ihre", "Im", "In", "Ist", "Ja",
	"Jede", "Jedoch", "Kein", "Keine", "Man", "Mein", "Mit", "Nach", "Nachdem", "Nein",
	"Nicht", "Noch", "Nun", "Nur", "Ob", "Oder", "Ohne", "Schon", "Sehr", "Seit", "Sie",
	"Sind", "So", "Sobald", "Somit", "Sonst", "Sowohl", "Trotz", "Um", "Und", "Unser",
	"Unter", "Viele", "Vom", "Von", "Vor", "Wann", "War", "Was", "Weil", "Welche", "Wenn",
	"Wer", "Wie", "Wir", "Wird", "Wo", "Zu", "Zudem", "Zum", "Zur", "Zwar", "Über"
};

static const char *const es_never[] = {
	"a.c", "admón", "afma", "afmo", "apdo", "arq", "av", "avda", "bco", "c.c", "cap", "cf",
	"cra", "cro", "cía", "d", "d.ª", "dcha", "depto", "dir", "dn", "dpto", "dr", "dra",
	"dras", "dres", "dña", "ed", "edo", "emmo", "exca", "excma", "excmo", "fco", "fr", "fray",
	"gob", "gral", "hna", "hno", "ing", "izq", "izqda", "izqdo", "kg", "lcda", "lcdo", "lda",
	"ldo", "lic", "lics", "ltda", "m.ª", "ma", "mons", "mtra", "mtro", "ntra", "ntro", "p.e",
	"p.ej", "p.m.e", "pbro", "pdta", "pdte", "pfra", "pfro", "prof", "profa", "profra",
	"párrf", "sgto", "sr", "sra", "sras", "sres", "srs", "srta", "srtas", "sta", "sto",
	"sto.s", "tte", "ud", "uds", "vd", "vda", "vds"
};

static const char *const es_number[] = {
	"abr", "ago", "aprox", "apt", "art", "arts", "av", "ca", "cap", "caps", "cf", "col", "dic", "ej",
	"ene", "feb", "fig", "figs", "jul", "jun", "mar", "may", "máx", "mín", "no", "nov", "nro",
	"nº", "núm", "núms", "oct", "p", "pag", "pags", "pp", "pág", "págs", "párr", "sec", "sep",
	"sept", "t", "tel", "tfno", "tomo", "vol", "vols"
};

static const char *const es_capital[] = {
	"etc"
};

static const char *const es_starter[] = {
	"a.m", "c.v", "cía", "ee", "ee.uu", "hnos", "p.m", "s.a", "ud", "uds", "uu"
};

static const char *const es_starters[] = {
	"Además", "Ahora", "Al", "Algunas", "Algunos", "Allí", "Antes", "Aquí", "Así", "Aunque",
	"Como", "Con", "Cuando", "Cuál", "Cómo", "De", "Del", "Desde", "Después", "Donde",
	"Durante", "El", "Ella", "Ellas", "Ellos", "En", "Entonces", "Era", "Es", "Esta",
	"Estaba", "Estas", "Este", "Esto", "Estos", "Está", "Están", "Fue", "Ha", "Hasta", "Hay",
	"Hoy", "La", "Las", "Le", "Les", "Lo", "Los", "Luego", "Mi", "Mientras", "Muy", "No",
	"Nos", "Nosotros", "Para", "Pero", "Por", "Porque", "Que", "Quien", "Qué", "Se", "Según",
	"Ser", "Si", "Siempre", "Sin", "Sino", "Sobre", "Son", "Su", "Sus", "Sí", "También",
	"Tampoco", "Tenía", "Tiene", "Todo", "Todos", "Tras", "Tú", "Un", "Una", "Usted",
	"Ustedes", "Y", "Ya", "Yo", "Él"
};

static const char *const it_never[] = {
	"a.c", "ad.es", "all", "amn", "arch", "avv", "biol", "c.c", "c.p.c", "ca", "cap", "cav",
	"cfr", "chir", "col", "com", "comm", "cons", "d.c", "dep", "dir", "dott", "dott.ssa",
	"dr", "dr.ssa", "dssa", "ecc.mo", "egr", "es", "gen", "gent", "gent.ma", "gent.mo",
	"geol", "geom", "giov", "id", "ill", "ing", "ing.ri", "jr", "lat", "let", "magg", "mar",
	"mass", "med", "min", "mons", "n.b", "on", "onn", "p.es", "p.zza", "pres", "prof",
	"prof.ssa", "profs", "psicol", "rag", "reg", "rev", "seg", "sen", "sig", "sig.na",
	"sig.ra", "sigg", "sigg.ri", "sost", "spett", "ss", "st", "tecn", "ten", "tot", "v.le",
	"vd", "vs"
};

static const char *const it_number[] = {
	"abs", "ago", "allegato", "apr", "art", "artt", "c", "cap", "capp", "co", "cod", "col",
	"dic", "feb", "fig", "figg", "gen", "gg", "giu", "lett", "lib", "lug", "mag", "mar", "n",
	"nn", "no", "nov", "nr", "num", "ott", "p", "pag", "pagg", "par", "pp", "r", "reg", "s",
	"sec", "set", "sett", "tav", "tel", "tom", "v", "vol", "voll"
};

static const char *const it_capital[] = {
	"ecc", "etc", "s.p.a", "sec"
};

static const char *const it_starter[] = {
	"c.a"
};

static const char *const it_starters[] = {
	"Al", "Alla", "Anche", "Ancora", "Che", "Chi", "Ci", "Come", "Con", "Cosa", "Così", "Da",
	"Dal", "Dalla", "Dei", "Del", "Della", "Di", "Dopo", "Dove", "E", "Era", "Erano", "Essi",
	"Gli", "Ha", "Hanno", "I", "Il", "In", "Invece", "Io", "La", "Le", "Lei", "Lo", "Loro",
	"Lui", "Ma", "Mentre", "Nei", "Nel", "Nella", "Noi", "Non", "Oggi", "Ogni", "Per",
	"Perché", "Poi", "Qual", "Quando", "Quella", "Quello", "Questa", "Queste", "Questi",
	"Questo", "Qui", "Se", "Secondo", "Si", "Sono", "Su", "Tra", "Tutti", "Tutto", "Un",
	"Una", "Uno", "Voi", "È"
};

static const char *const pt_never[] = {
	"adm", "alm", "apto", "arq", "av", "cap", "cel", "cf", "cia", "cmte", "com", "cons", "d",
	"dep", "des", "dir", "dr", "dra", "dras", "drs", "ed", "emb", "ene", "eng", "enga", "esc",
	"exa", "exas", "exma", "exmo", "exmos", "gal", "gen", "gov", "ilma", "ilmo", "jr", "ltda",
	"maj", "min", "mons", "obs", "p.ex", "pe", "ped", "pq", "prof", "profa", "profas",
	"profs", "pág", "pça", "q.v", "r", "rev", "rod", "s.a", "sarg", "sen", "sr", "sra",
	"sras", "sres", "srta", "srtas", "sta", "sto", "sóror", "ten", "tv", "v.exa", "v.s", "vs"
};

static const char *const pt_number[] = {
	"abr", "ago", "al", "aprox", "art", "arts", "cap", "col", "dez", "ed", "fev", "fig", "figs", "fl",
	"fls", "inc", "jan", "jul", "jun", "mai", "mar", "n", "no", "nov", "nro", "nº", "núm",
	"op", "out", "p", "pag", "par", "pp", "pág", "págs", "sec", "set", "séc", "t", "tel", "v",
	"vol", "vols"
};

static const char *const pt_capital[] = {
	"etc"
};

static const char *const pt_starter[] = {
	"a.m", "p.m", "s.a", "u.e"
};

static const char *const pt_starters[] = {
	"A", "Ainda", "Além", "Ao", "Aos", "Após", "As", "Assim", "Até", "Com", "Como", "Da",
	"De", "Depois", "Do", "Dos", "Durante", "E", "Ela", "Elas", "Ele", "Eles", "Em",
	"Enquanto", "Era", "Essa", "Esse", "Esta", "Este", "Estes", "Eu", "Foi", "Há", "Isso",
	"Isto", "Já", "Mais", "Mas", "Me", "Na", "Nas", "No", "Nos", "Não", "Nós", "O", "Onde",
	"Os", "Ou", "Para", "Pela", "Pelo", "Por", "Porque", "Porém", "Quando", "Que", "Quem",
	"Se", "Segundo", "Sem", "Ser", "Seu", "Sua", "São", "Só", "Também", "Todos", "Tudo", "Um",
	"Uma", "Você", "Vocês", "É"
};

static const char *const fr_never[] = {
	"all", "av", "bd", "boul", "cap", "cf", "ch", "chap", "cie", "dr", "drs", "env", "fg",
	"gal", "hab", "i.e", "ing", "jr", "lt", "m", "me", "mes", "mgr", "mlle", "mlles", "mm",
	"mme", "mmes", "p.ex", "pr", "prof", "resp", "rev", "st", "ste", "sté", "vs", "vve", "éd"
};

static const char *const fr_number[] = {
	"al", "art", "avr", "chap", "coll", "déc", "ex", "fig", "figs", "fév", "févr", "janv",
	"juil", "n", "no", "nos", "nov", "nº", "oct", "op", "p", "par", "pp", "sect", "sept", "t",
	"tab", "tél", "vol", "vols"
};

static const char *const fr_capital[] = {
	"etc"
};

static const char *const fr_starter[] = {
	"apr.j-c", "av.j-c", "j.-c"
};

static const char *const fr_starters[] = {
	"Ainsi", "Alors", "Après", "Au", "Aussi", "Avant", "Avec", "Ce", "Ceci", "Cela", "Ces",
	"Cet", "Cette", "Chaque", "Comme", "Comment", "Dans", "De", "Depuis", "Des", "Donc", "Du",
	"Elle", "Elles", "En", "Enfin", "Ensuite", "Et", "Il", "Ils", "Je", "L", "La", "Le",
	"Les", "Leur", "Lors", "Lorsque", "Mais", "Malgré", "Mon", "Même", "Ne", "Non", "Notre",
	"Nous", "On", "Or", "Ou", "Oui", "Où", "Par", "Parce", "Pendant", "Plus", "Pour",
	"Pourquoi", "Puis", "Quand", "Que", "Quel", "Quelle", "Qui", "S", "Sa", "Sans", "Selon",
	"Ses", "Si", "Son", "Sous", "Sur", "Ta", "Tous", "Tout", "Toutefois", "Très", "Tu", "Un",
	"Une", "Votre", "Vous", "Y", "À"
};

static const char *const nl_never[] = {
	"a.g.v", "a.u.b", "b.g.g", "b.v", "bijv", "burg", "ca", "cf", "d.w.z", "dhr", "dr", "drs",
	"ds", "e.a", "e.d", "fam", "gebr", "gem", "gen", "h.h", "i.p.v", "i.v.m", "incl", "ing",
	"ir", "jhr", "jkvr", "jl", "jr", "kol", "lt", "m.a.w", "m.b.t", "m.i", "m.n", "max",
	"mej", "mevr", "min", "mr", "mrs", "mw", "n.a.v", "nl", "nw", "o.a", "o.i.d", "o.m",
	"ong", "p.a", "plm", "plv", "prof", "resp", "s.v.p", "sr", "st", "t.a.v", "t.b.v",
	"t.g.v", "t.o.v", "v.d", "vb", "vgl", "vnl", "vs", "w.o", "wed", "wnd", "z.g.a.n", "zgn",
	"zr"
};

static const char *const nl_number[] = {
	"afb", "afd", "apr", "art", "aug", "bldz", "blz", "dec", "deel", "feb", "febr", "fig",
	"hfdst", "jan", "jul", "jun", "mrt", "nov", "nr", "nrs", "okt", "p", "pag", "par", "pp",
	"sep", "sept", "tab", "tel", "verg", "vol"
};

static const char *const nl_capital[] = {
	"enz", "etc", "n.v"
};

static const char *const nl_starter[] = {
	"n.chr", "v.chr"
};

static const char *const nl_starters[] = {
	"Als", "Bij", "Dan", "Dat", "De", "Deze", "Die", "Dit", "Door", "Dus", "Een", "Er", "Het",
	"Hij", "Hoe", "Ik", "In", "Is", "Ja", "Je", "Maar", "Met", "Na", "Naar", "Nee", "Niet",
	"Nu", "Of", "Om", "Onder", "Ook", "Op", "Over", "Toen", "Tot", "Uit", "Van", "Veel",
	"Volgens", "Voor", "Waar", "Waarom", "Wanneer", "Want", "Was", "Wat", "We", "Welke",
	"Wie", "Wij", "Ze", "Zij", "Zijn", "Zo"
};

static const char *const da_never[] = {
	"adj", "adv", "afd", "alm", "bd", "bl.a", "bygn", "ca", "cand", "chr", "d.d", "d.v.s",
	"dir", "div", "dr", "e.kr", "eks", "ekskl", "em", "evt", "f.eks", "f.kr", "f.m", "fam",
	"fhv", "fig", "fm", "fmd", "forb", "fr", "gl", "gr", "hhv", "hr", "if", "ifm", "ift",
	"iht", "ing", "inkl", "jf", "jr", "kand", "kap", "kgl", "kr", "kst", "lign", "m.fl",
	"m.h.t", "max", "mdr", "mht", "min", "mio", "mr", "mrd", "mv", "nr", "oberst", "obs",
	"opr", "ovf", "p.g.a", "pga", "pr", "prof", "sen", "skr", "skt", "sml", "sogn",
	"st", "str", "sv", "tdl", "tek", "th", "tlf", "tv", "vedr", "vg", "vha", "vs", "åb",
	"årg"
};

static const char *const da_number[] = {
	"apr", "art", "aug", "dec", "feb", "febr", "jan", "jul", "jun", "kap", "mar", "nov", "nr",
	"okt", "pkt", "s", "sep", "sept", "sp", "stk", "tlf", "vol", "§"
};

static const char *const da_capital[] = {
	"etc", "m.m", "m.v", "mfl", "o.s.v", "osv"
};

static const char *const da_starter[] = {
	"a/s", "s.u"
};

static const char *const da_starters[] = {
	"Alle", "At", "Da", "De", "Den", "Der", "Det", "Dette", "Disse", "Du", "Efter", "En",
	"Er", "Et", "For", "Fra", "Fru", "Før", "Han", "Har", "Hr", "Hun", "Hvad", "Hvem", "Hvis",
	"Hvor", "Hvordan", "Hvorfor", "I", "Ikke", "Ja", "Jeg", "Mange", "Med", "Men", "Nej",
	"Nogle", "Når", "Og", "Også", "Om", "På", "Som", "Så", "Til", "Under", "Var", "Ved", "Vi"
};

static const char *const sv_never[] = {
	"adj", "bl.a", "ca", "d.v.s", "dir", "dr", "e.d", "eg", "ev", "exkl", "f.d", "f.n", "fr",
	"förf", "gm", "herr", "hr", "ing", "inkl", "jfr", "jr", "kap", "kl", "kr", "lör", "m.a.o",
	"m.fl", "max", "mdr", "milj", "min", "ml", "mr", "nr", "o.dyl", "obs", "ordf", "osv.s",
	"p.g.a", "prof", "resp", "s.k", "sk", "skt", "st", "t.ex", "t.o.m", "tel", "tf", "ung",
	"v.g", "vard", "vs", "äv", "övers"
};

static const char *const sv_number[] = {
	"apr", "aug", "dec", "feb", "febr", "fig", "jan", "jul", "jun", "kap", "kl", "mars",
	"nov", "nr", "okt", "s", "sep", "sept", "sid", "tab", "tel", "vol"
};

static const char *const sv_capital[] = {
	"etc", "m.m", "osv"
};

static const char *const sv_starter[] = {
	"e.kr", "f.kr"
};

static const char *const sv_starters[] = {
	"Alla", "Att", "Av", "De", "Den", "Denna", "Dessa", "Det", "Detta", "Du", "Efter", "En",
	"Ett", "Från", "För", "Han", "Har", "Hon", "Hur", "I", "Inte", "Ja", "Jag", "Med", "Men",
	"Mot", "Nej", "Ni", "När", "Och", "Också", "Om", "På", "Som", "Så", "Till", "Under",
	"Vad", "Var", "Varför", "Vi", "Vid", "Är"
};

static const char *const pl_never[] = {
	"abp", "al", "alb", "arch", "bm", "bp", "br", "bł", "ca", "cd", "dn", "doc", "dot", "dr",
	"ds", "dyr", "dz.u", "fr", "gen", "godz", "gł", "hab", "hr", "im", "inż", "jw", "kard",
	"kier", "kl", "kpt", "ks", "ks.prof", "lek", "lic", "lp", "ltd", "m.in", "m.st", "max",
	"mec", "mgr", "min", "mjr", "n.e", "n.p", "nb", "niem", "np", "o", "o.o", "ob", "ok",
	"orygin", "os", "pl", "pn", "po", "poj", "por", "pow", "pp", "ppłk", "prof", "prok",
	"prot", "przew", "przyp", "pt", "płd", "płk", "płn", "red", "ros", "sierż", "sp", "spec",
	"st", "sw", "szer", "tj", "tow", "tys", "tzn", "tzw", "tłum", "ub", "ul", "ur", "w.g",
	"wg", "woj", "wsch", "wyd", "właśc", "zach", "zam", "zast", "zm", "zw", "zwł", "łac",
	"śp", "św", "ż", "żyd"
};

static const char *const pl_number[] = {
	"ark", "art", "cz", "dok", "gr", "kol", "lit", "lp", "n", "nr", "par", "pkt", "pocz",
	"poz", "poł", "r", "rozdz", "rys", "s", "st", "str", "szt", "t", "tab", "tel", "tom",
	"ust", "vol", "w", "wiek", "z", "zał", "zob"
};

static const char *const pl_capital[] = {
	"cd", "cdn", "etc", "in", "itd", "itp"
};

static const char *const pl_starter[] = {
	"r.b"
};

static const char *const pl_starters[] = {
	"A", "Aby", "Ach", "Ale", "Bo", "By", "Być", "Był", "Była", "Było", "Były", "Co", "Czy",
	"Dla", "Dlaczego", "Dlatego", "Do", "Gdy", "Gdzie", "I", "Ich", "Ja", "Jak", "Jaki",
	"Jako", "Jego", "Jej", "Jest", "Jeśli", "Każdy", "Kiedy", "Kto", "Która", "Który", "Ma",
	"Mnie", "Moja", "My", "Mój", "Na", "Nad", "Nie", "Nim", "No", "O", "Od", "On", "Ona",
	"Oni", "Oraz", "Po", "Pod", "Potem", "Przed", "Przez", "Przy", "Się", "Są", "Tak",
	"Także", "Tam", "Te", "Tego", "Ten", "Teraz", "To", "Tu", "Ty", "Tylko", "W", "We",
	"Więc", "Wszyscy", "Wtedy", "Z", "Za", "Ze", "Że"
};

static const char *const cs_never[] = {
	"angl", "arch", "as", "bc", "bývalý", "ca", "cca", "csc", "doc", "dr", "ev", "fr", "gen",
	"hl", "ing", "jr", "judr", "kap", "kpt", "kr", "lat", "max", "mgr", "mil", "min", "mj",
	"mjr", "mld", "mudr", "např", "npor", "nám", "odd", "odst", "okr", "phdr", "pl", "plk",
	"popř", "por", "pozn", "prof", "přibl", "resp", "rndr", "roz", "rtm", "rus", "sl", "sp",
	"srov", "st", "stol", "sv", "tj", "tzn", "tzv", "tř", "ul", "var", "vl", "vs", "zast",
	"zejm", "zv", "čes", "čs", "řec", "škpt"
};

static const char *const cs_number[] = {
	"aj", "apr", "kap", "obr", "odst", "par", "popl", "písm", "př", "r", "roč", "s", "sb",
	"str", "sv", "tab", "tel", "vol", "vyd", "ú", "č", "čl", "čís"
};

static const char *const cs_capital[] = {
	"aj", "apod", "atd", "atp"
};

static const char *const cs_starters[] = {
	"A", "Aby", "Ale", "Ani", "Až", "Byl", "Byla", "Bylo", "Byly", "Co", "Do", "Jak", "Jako",
	"Jaký", "Je", "Jeho", "Jejich", "Její", "Jsem", "Jsou", "Já", "K", "Kde", "Kdo", "Když",
	"Která", "Který", "My", "Má", "Mám", "Na", "Nad", "Ne", "Není", "O", "Od", "On", "Ona",
	"Oni", "Pak", "Po", "Pod", "Podle", "Pokud", "Proto", "Proč", "Před", "Při", "S", "Se",
	"Tak", "Také", "Tam", "Ten", "Tento", "Teď", "To", "Toto", "Ty", "U", "V", "Ve", "Však",
	"Všichni", "Z", "Za", "Ze", "Že"
};

static const char *const ru_never[] = {
	"авт", "адм", "акад", "англ", "арх", "бул", "быв", "в.д", "вкл", "воен", "вост", "выс",
	"газ", "ген", "гл", "гос", "гр", "гражд", "греч", "д", "д-р", "деп", "дер", "диам", "дир",
	"доб", "доп", "доц", "ед", "ж", "зав", "зам", "зап", "засл", "изв", "им", "ин", "инж",
	"исп", "ист", "итал", "кап", "кв", "кн", "коп", "корп", "кр", "л", "лат", "лейт", "м",
	"мин", "мн", "муз", "напр", "наст", "нац", "нач", "нем", "о", "об", "обл", "обр", "оз",
	"ок", "окр", "оп", "орг", "осн", "отд", "п", "пгт", "пер", "пл", "пол", "полк", "польск",
	"пос", "пп", "пр", "пред", "преп", "прим", "прод", "просп", "проф", "р", "ред", "рим",
	"рис", "рож", "руб", "русск", "с.ш", "св", "сев", "сек", "сер", "след", "см", "сокр",
	"соц", "соч", "спец", "ср", "ст", "стр", "т", "т.е", "т.к", "т.н", "т.о", "тов", "ул",
	"уп", "устар", "утв", "уч", "ф", "фам", "физ", "фин", "фр", "фраз", "х", "хим", "худ",
	"ц", "ч", "чешск", "ш", "э", "юж", "юр", "яз", "япон"
};

static const char *const ru_number[] = {
	"абз", "вып", "гл", "илл", "кн", "л", "лит", "п", "п.п", "пп", "разд", "рис", "с", "см",
	"ст", "стр", "т", "табл", "тел", "том", "ч", "№"
};

static const char *const ru_capital[] = {
	"др", "и.т.д", "млн", "млрд", "пр", "т.д", "т.п", "тыс", "чел", "шт", "экз"
};

static const char *const ru_starter[] = {
	"в", "вв", "г", "гг", "до.н.э", "н.э"
};

static const char *const ru_starters[] = {
	"А", "Без", "Благодаря", "Более", "Был", "Была", "Были", "Было", "В", "Ведь", "Во",
	"Возможно", "Вот", "Все", "Всё", "Вы", "Где", "Да", "Далее", "Для", "До", "Его", "Ее",
	"Если", "Еще", "Ещё", "Её", "За", "Затем", "Здесь", "И", "Из", "Или", "Именно", "Иногда",
	"Их", "К", "Каждый", "Как", "Какой", "Когда", "Конечно", "Кроме", "Кто", "Куда", "Мне",
	"Многие", "Может", "Можно", "Мой", "Мы", "На", "Над", "Нам", "Нас", "Не", "Нет", "Ни",
	"Но", "Ну", "О", "Об", "Однако", "Он", "Она", "Они", "Оно", "От", "По", "Под", "Пока",
	"После", "Потом", "Поэтому", "При", "Про", "Пусть", "С", "Сегодня", "Сейчас", "Со",
	"Среди", "Так", "Также", "Таким", "Там", "Те", "Тем", "Теперь", "То", "Тогда", "Только",
	"Тот", "Ты", "У", "Уже", "Хотя", "Чем", "Через", "Что", "Чтобы", "Эта", "Эти", "Это",
	"Этот", "Я"
};

static const char *const uk_never[] = {
	"авт", "акад", "англ", "арх", "бл", "бул", "вид", "вул", "гл", "гр", "грец", "д-р",
	"держ", "див", "дол", "доц", "ек", "ел", "ж", "зав", "заст", "зокр", "каф", "кв", "кн",
	"лат", "м", "мед", "н.е", "напр", "нар", "нац", "нач", "нім", "о", "об", "обл",
	"оз", "ок", "орг", "п", "пер", "пл", "пол", "пор", "поч", "прим", "пров", "просп", "проф",
	"р", "ред", "рос", "с", "св", "сел", "сер", "см", "смт", "ст", "стор", "т.з",
	"т.зв", "таб", "тов", "укр", "упоряд", "ур", "фр", "чес", "чл", "ш", "ю", "яп",
	"ім", "інж", "ісп", "італ"
};

static const char *const uk_number[] = {
	"арт", "гл", "кн", "л", "мал", "п", "пп", "рис", "розд", "с", "ст", "стор", "т", "табл",
	"тел", "ч", "№"
};

static const char *const uk_capital[] = {
	"грн", "коп", "млн", "млрд", "руб", "т.д", "т.п", "та.ін", "тис", "тощо", "чол", "ін", "інш"
};

static const char *const uk_starter[] = {
	"р", "рр"
};

static const char *const uk_starters[] = {
	"І", "Із", "Їх", "Її", "А", "Або", "Адже", "Але", "Без", "Був", "Була", "Були", "Було",
	"Більше", "В", "Вже", "Ви", "Вона", "Вони", "Воно", "Все", "Всі", "Від", "Він", "Де",
	"Для", "До", "З", "За", "Зараз", "Й", "Його", "Коли", "Котрий", "Крім", "Мені", "Ми",
	"Може", "Можна", "На", "Навіть", "Над", "Нам", "Не", "Немає", "Ну", "Ні", "Об", "Однак",
	"Отже", "По", "Потім", "При", "Про", "Під", "Після", "Саме", "Сьогодні", "Так", "Також",
	"Там", "Те", "Тепер", "Ти", "То", "Тоді", "Той", "Тому", "У", "Хоча", "Хто", "Це", "Цей",
	"Ця", "Ці", "Через", "Чи", "Чому", "Що", "Щоб", "Я", "Як", "Яка", "Який", "Якщо"
};

static const char *const bg_never[] = {
	"акад", "англ", "бул", "вж", "гр", "др", "ж.к", "инж", "кв", "м.г", "мин", "напр", "нар",
	"обл", "ок", "пл", "пр", "проф", "р", "рус", "с", "св", "сев", "см", "сп", "ст", "т",
	"тел", "ул", "чл", "юж"
};

static const char *const bg_number[] = {
	"бр", "вж", "гл", "кн", "л", "рис", "с", "стр", "т", "табл", "тел", "чл"
};

static const char *const bg_capital[] = {
	"др", "и.др", "т.е", "т.н"
};

static const char *const bg_starter[] = {
	"в", "г"
};

static const char *const bg_starters[] = {
	"А", "Аз", "Ако", "В", "Ви", "Вие", "Все", "Във", "Где", "До", "За", "Защо", "И", "Има",
	"Как", "Какво", "Когато", "Кой", "Към", "На", "Най", "Не", "Ние", "Но", "Обаче", "От",
	"По", "През", "При", "С", "Се", "Сега", "След", "Същото", "Те", "Тези", "То", "Това",
	"Тогава", "Този", "Той", "Тя", "Че", "Ще"
};

static const char *const el_never[] = {
	"αγ", "αι", "αιδ", "αρ", "αρχ", "βλ", "βλ.λ", "γεν", "γρ", "δηλ", "δρ", "εκ",
	"επ", "κ", "κα", "κκ", "κλπ.λ", "κος", "κων", "λ.χ", "λεωφ", "μ.χ", "ν.δ", "ντ", "οδ",
	"π.δ", "π.μ", "π.χ", "παρ", "πβ", "πλ", "πρβλ", "πρωτ", "σ.σ", "σελ", "στρ", "συν",
	"σχετ", "τ", "τηλ", "τόμ", "υπ", "υπ.αρ", "χ"
};

static const char *const el_number[] = {
	"άρ", "άρθ", "αρ", "αρθ", "αριθ", "κεφ", "νο", "παρ", "σ", "σελ", "στ", "σχ", "τ", "τηλ",
	"τόμ", "φ"
};

static const char *const el_capital[] = {
	"εκατ", "κ.ά", "κ.α", "κ.λπ", "κ.ο.κ", "κ.τ.λ", "κλπ", "κτλ", "χιλ", "χλμ"
};

static const char *const el_starter[] = {
	"μ.μ", "μ.χ", "π.μ", "π.χ"
};

static const char *const el_starters[] = {
	"Ένα", "Ένας", "Ή", "Όμως", "Όταν", "Αλλά", "Αν", "Από", "Αυτά", "Αυτές", "Αυτή", "Αυτό",
	"Αυτός", "Για", "Γιατί", "Δεν", "Είναι", "Εγώ", "Εδώ", "Εκείνος", "Εμείς", "Ενώ",
	"Επίσης", "Η", "Κάθε", "Και", "Κατά", "Με", "Μετά", "Μια", "Μόνο", "Να", "Ο", "Οι",
	"Ποιος", "Που", "Πριν", "Πως", "Πώς", "Σαν", "Σε", "Στα", "Στη", "Στην", "Στις", "Στο",
	"Στον", "Στους", "Τα", "Τη", "Την", "Της", "Τι", "Τις", "Το", "Τον", "Του", "Τους", "Των",
	"Τότε", "Ως"
};

static const char *const hy_never[] = {
	"ակադ", "անգլ", "գ", "դ", "դոկտ", "էդ", "թ", "թթ", "ժ", "հմ", "հր", "ն", "ն.ա", "պրոֆ",
	"ռուս", "ս", "տ", "տ.ա", "փ", "օր"
};

static const char *const hy_number[] = {
	"էջ", "թիվ", "հ", "նկ"
};

static const char *const hy_capital[] = {
	"և.այլն"
};

static const char *const hy_starter[] = {
	"թ"
};

static const char *const tr_never[] = {
	"age", "alb", "apt", "ar.gör", "arş", "av", "bkz", "bl", "bul", "bşk", "cad", "cd", "doç",
	"dr", "ecz", "gen", "hz", "is", "mah", "md", "müh", "op", "org", "ort", "prof", "sn",
	"sok", "tel", "ttk", "uzm", "yard", "yd", "yrd", "yüz", "çvş", "ör", "öğr", "şb", "şti"
};

static const char *const tr_number[] = {
	"bkz", "bl", "c", "no", "s", "sa", "sf", "tab", "tel", "şek"
};

static const char *const tr_capital[] = {
	"vb", "vd", "vs"
};

static const char *const tr_starter[] = {
	"m.s", "m.ö"
};

static const char *const tr_starters[] = {
	"Ama", "Ancak", "Ben", "Bir", "Biz", "Bu", "Bunlar", "Bunun", "Da", "Daha", "En", "Evet",
	"Eğer", "Fakat", "Gerçekten", "Hangi", "Hayır", "Her", "Hiç", "Kim", "Nasıl", "Ne",
	"Neden", "Nerede", "Niçin", "O", "Onlar", "Onun", "Sen", "Siz", "Sonra", "Ve", "Veya",
	"Ya", "Yani", "Çünkü", "İki", "İlk", "İşte", "Şimdi", "Şu"
};

static const char *const ro_never[] = {
	"al", "alin", "art", "av", "bd", "bl", "c.c", "ca", "cap", "cf", "conf", "d.c", "dl",
	"dna", "dr", "dv", "ed", "ex", "fam", "gen", "gr", "hm", "ing", "int", "jud", "lt", "max",
	"min", "mr", "n.red", "nr", "op", "pag", "pct", "pl", "pr", "prof", "sc", "sf", "sr",
	"str", "tel", "trad", "univ", "vs", "șos", "șt"
};

static const char *const ro_number[] = {
	"alin", "art", "cap", "ed", "fig", "lit", "nr", "p", "pag", "pct", "pp", "sec", "tel",
	"vol"
};

static const char *const ro_capital[] = {
	"etc", "ș.a"
};

static const char *const ro_starter[] = {
	"d.hr", "î.hr"
};

static const char *const ro_starters[] = {
	"A", "Această", "Acest", "Aceste", "Acum", "Am", "Are", "Au", "Ca", "Care", "Cu", "Cum",
	"Când", "Că", "Da", "Dacă", "De", "Deci", "Despre", "Din", "După", "E", "Ea", "Ei", "El",
	"Ele", "Este", "Eu", "Fără", "La", "Mai", "Noi", "Nu", "O", "Pe", "Pentru", "Prin",
	"Sunt", "Un", "Unde", "Voi", "În", "Între", "Și"
};

static const char *const id_never[] = {
	"a.n", "bpk", "dr", "dra", "drs", "hj", "ir", "jl", "kab", "kec", "kel", "mis", "mr",
	"mrs", "no", "ny", "prof", "sdr", "sdri", "st", "tn", "u.p", "yth"
};

static const char *const id_number[] = {
	"hal", "hlm", "jl", "no", "pasal", "tel"
};

static const char *const id_capital[] = {
	"dkk", "dll", "dsb"
};

static const char *const id_starters[] = {
	"Ada", "Adalah", "Akan", "Dalam", "Dan", "Dari", "Di", "Dia", "Ia", "Ini", "Itu", "Jika",
	"Juga", "Kami", "Karena", "Ke", "Kita", "Mereka", "Namun", "Oleh", "Pada", "Saya",
	"Sebagai", "Setelah", "Tetapi", "Tidak", "Untuk", "Yang"
};

static const char *const kk_never[] = {
	"акад", "ж", "м", "обл", "проф", "с", "т.б", "т.д", "т.с.с", "ғ", "қ"
};

static const char *const kk_number[] = {
	"б", "бет", "т"
};

static const char *const kk_capital[] = {
	"т.б", "т.с.с"
};

static const char *const kk_starter[] = {
	"ж", "ғ"
};

static const char *const kk_starters[] = {
	"Ал", "Біз", "Бірақ", "Бұл", "Және", "Мен", "Ол", "Олар", "Осы", "Сол", "Сіз"
};

/* By code, but for the root. */
const SrmLanguage srm_languages[] = {
	{"", 0, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}, {NULL, 0}},
	{"de", SRM_LANGUAGE_ORDINALS, WORDS(de_never), WORDS(de_number),
		WORDS(de_capital), {NULL, 0}, WORDS(de_starters)},
	LANGUAGE(es, SRM_LANGUAGE_DIALOGUE),
	LANGUAGE(it, 0),
	LANGUAGE(pt, 0),
	LANGUAGE(fr, SRM_LANGUAGE_DIALOGUE),
	LANGUAGE(nl, 0),
	LANGUAGE(da, 0),
	LANGUAGE(sv, 0),
	LANGUAGE(pl, SRM_LANGUAGE_DIALOGUE),
	{"cs", SRM_LANGUAGE_DIALOGUE, WORDS(cs_never), WORDS(cs_number),
		WORDS(cs_capital), {NULL, 0}, WORDS(cs_starters)},
	LANGUAGE(ru, 0),
	LANGUAGE(uk, 0),
	LANGUAGE(bg, 0),
	LANGUAGE(el, SRM_LANGUAGE_GREEK),
	{"hy", SRM_LANGUAGE_DIALOGUE, WORDS(hy_never), WORDS(hy_number),
		WORDS(hy_capital), WORDS(hy_starter), {NULL, 0}},
	LANGUAGE(tr, SRM_LANGUAGE_DIALOGUE),
	LANGUAGE(ro, 0),
	{"id", 0, WORDS(id_never), WORDS(id_number),
		WORDS(id_capital), {NULL, 0}, WORDS(id_starters)},
	LANGUAGE(kk, 0)
};

const size_t srm_n_languages = sizeof(srm_languages) / sizeof(srm_languages[0]);

const SrmLanguage *
srm_language_find(const char *locale)
{
	size_t		length = strcspn(locale, "-_@.");

	for (size_t i = 1; i < srm_n_languages; i++)
	{
		if (strlen(srm_languages[i].code) == length &&
			memcmp(srm_languages[i].code, locale, length) == 0)
			return &srm_languages[i];
	}
	return &srm_languages[0];
}

static bool
has_word(const SrmWords *words, const char *word, size_t length)
{
	return words->n > 0 && srm_has_word(words->words, words->n, word, length);
}

static SrmAbbreviation
find_kind(const SrmLanguage *language, const char *word, size_t length)
{
	if (has_word(&language->starter, word, length))
		return SRM_ABBREVIATION_STARTER;
	if (has_word(&language->capital, word, length))
		return SRM_ABBREVIATION_CAPITAL;
	if (has_word(&language->never, word, length))
		return SRM_ABBREVIATION_NEVER;
	if (has_word(&language->number, word, length))
		return SRM_ABBREVIATION_NUMBER;
	return SRM_ABBREVIATION_NONE;
}

/* The word with a small first letter; returns its length, 0 if it has none. */
static size_t
lower_first(const char *word, size_t length, char *lower)
{
	size_t		next;
	int32_t		c = srm_char_at(word, 0, length, &next);
	size_t		n;

	if (length == 0 || length > MAX_WORD || !srm_char_is_upper(c))
		return 0;
	n = srm_utf8_encode((uint32_t) u_tolower(c), lower);
	memcpy(lower + n, word + next, length - next);
	return n + length - next;
}

SrmAbbreviation
srm_language_abbreviation(const SrmLanguage *language, const char *word, size_t length)
{
	char		lower[MAX_WORD + 4];
	SrmAbbreviation kind = SRM_ABBREVIATION_NONE;
	size_t		n;

	if (language->code[0] != '\0')
	{
		kind = find_kind(language, word, length);
		n = kind == SRM_ABBREVIATION_NONE ? lower_first(word, length, lower) : 0;
		/* A single capital is an initial */
		if (n > 0 && srm_utf8_count(word, length) > 1)
			kind = find_kind(language, lower, n);
	}
	return kind != SRM_ABBREVIATION_NONE ? kind : srm_abbreviation(word, length);
}

bool
srm_language_is_starter(const SrmLanguage *language, const char *word, size_t length)
{
	return srm_is_starter(word, length) || has_word(&language->starters, word, length);
}
