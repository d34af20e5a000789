"""What words say about fields: roles that names of fields have, and the words people use for them.

Tables only. English first, with the words that German, French and Spanish questions need most.
"""

from __future__ import annotations

from typing import Literal

Role = Literal["agent", "source", "title", "about"]
"""What a keyword field's value is to a document: who made or has it, where it appeared, what it is
called, or what it is about."""

AGENTS = frozenset(
    ["author", "authors", "writer", "writers", "byline", "creator", "creators", "reporter", "journalist", "columnist", "editor", "owner", "assignee", "assigned", "agent", "reviewer", "reviewers", "contact", "manager", "lead", "committer", "maintainer", "director", "artist", "composer", "recruiter", "speaker", "presenter", "chef", "cook", "investigator", "commander", "responder", "seller", "realtor", "broker", "requester", "analyst", "auditor", "signed", "signer", "signatory", "host", "maker", "painter", "sculptor", "designer", "architect", "printmaker", "potter", "curator", "donor", "translator", "illustrator", "photographer", "supervisor", "advisor", "sponsor", "handler", "developer", "engineer", "submitter", "approver", "approved", "attendee", "judge", "captain", "coach", "referee", "doctor", "physician", "teacher", "instructor", "lecturer", "tutor", "attorney", "lawyercounsel", "inventor", "inventors", "applicant", "applicants", "sender", "recipient", "from", "to", "cc", "organizer", "organiser", "chair", "secretary", "guest", "guests", "player", "players", "actor", "actorscast", "singer", "narrator", "producer", "sponsor", "user", "person", "people", "name_of"]
)
SOURCES = frozenset(
    ["source", "publisher", "outlet", "site", "website", "newspaper", "magazine", "journal", "venue", "conference", "channel", "feed", "domain", "publication", "agency", "press", "blog", "podcast", "proceedings", "studio"]
)
COMPANIES = frozenset(
    ["carrier", "manufacturer", "supplier", "provider", "publisher", "customer", "dealer", "employer", "retailer", "insurer", "operator", "bidder", "tenderer", "contractor", "vendor", "buyer", "purchaser", "partner", "competitor", "reseller", "distributor", "importer", "exporter"]
)
TITLES = frozenset(
    ["title", "name", "heading", "headline", "subject", "summary", "description", "abstract", "url", "uri", "link", "slug", "id", "identifier", "path", "file", "filename", "text", "body", "content", "doi", "isbn", "hash", "sku", "number", "key", "email", "phone"]
)

MAKING: dict[str, frozenset[str]] = {
    # Verbs that tie a person or source to a document, and the words that fields have for them.
    "write": frozenset(["write", "writes", "wrote", "written", "writing", "pen", "penned", "schrieb", "schreibt", "geschrieben", "ecrit", "ecrite", "ecrits", "escrito", "escribio", "escribe"]),
    "report": frozenset(["report", "reports", "reported", "reporting", "raised", "raise", "submit", "submits", "submitted", "filed", "file", "files", "opened", "open", "complained", "logged", "lodged", "requested", "gemeldet"]),
    "say": frozenset(["say", "says", "said", "claim", "claims", "claimed", "argue", "argues", "argued", "state", "stated", "mention", "mentions", "mentioned", "think", "thinks", "thought", "explain", "explains", "explained", "cover", "covers", "covered", "covering", "describe", "describes", "described", "discuss", "discusses", "discussed", "publish", "publishes", "published", "publishing", "post", "posts", "posted", "print", "printed", "ran", "run", "carried", "quote", "quoted", "note", "notes", "noted", "suggest", "suggests", "suggested", "recommend", "recommends", "recommended", "reveal", "revealed", "investigate", "investigated", "tell", "tells", "told", "sagt", "sagte", "berichtet", "berichtete", "veroffentlicht", "dit", "publie", "dice", "dijo", "publico", "publicado", "disclose", "disclosed"]),
    "assign": frozenset(["assign", "assigned", "assigns", "handle", "handles", "handled", "handling", "working", "works", "worked", "owned"]),
    "create": frozenset(["create", "created", "creates", "make", "made", "makes", "build", "built", "upload", "uploaded", "add", "added", "author", "authored", "commit", "committed", "commits"]),
    "review": frozenset(["review", "reviewed", "reviews", "approve", "approved", "approves", "check", "checked", "audited", "audit"]),
    "direct": frozenset(["direct", "directed", "directs", "film", "filmed", "shoot", "shot"]),
    "sign": frozenset(["sign", "signed", "signs"]),
    "edit": frozenset(["edit", "edited", "edits", "modify", "modified", "modifies", "change", "changed", "touch", "touched", "update", "updated", "last-touched", "maintain", "maintained", "maintains"]),
    "lead": frozenset(["lead", "leads", "led", "manage", "managed", "manages", "run", "runs", "ran", "supervise", "supervised", "head", "headed", "coordinated", "coordinate", "command", "commanded"]),
    "send": frozenset(["send", "sends", "sent", "mail", "mailed", "email", "emailed", "forwarded", "gesendet", "envoye"]),
    "present": frozenset(["present", "presented", "presents", "speak", "spoke", "speaks", "gave", "give", "talk"]),
    "cook": frozenset(["cook", "cooked", "cooks"]),
    "sell": frozenset(["sell", "sells", "sold", "list", "listed", "lists", "offer", "offered", "offers", "sellers"]),
    "paint": frozenset(["paint", "painted", "paints", "compose", "composed", "sculpted", "designed", "drawn", "carved", "photographed", "engraved"]),
    "host": frozenset(["host", "hosted", "hosts"]),
    "close": frozenset(["close", "closed", "closes", "resolve", "resolved", "resolves", "fix", "fixed", "fixes", "solve", "solved", "settle", "settled"]),
}  # fmt: skip
FIELD_VERBS: dict[str, str] = {
    # Words in field names -> the verbs above that point to them first.
    "author": "write", "authors": "write", "writer": "write", "writers": "write", "byline": "write", "journalist": "write", "columnist": "write",
    "sender": "send", "from": "send",
    "reporter": "report", "requester": "report", "submitter": "report", "customer": "report", "reported": "report", "opened": "report", "filed": "report",
    "assignee": "assign", "assigned": "assign", "agent": "assign", "owner": "assign", "handler": "assign",
    "creator": "create", "created": "create", "committer": "edit", "maintainer": "edit", "editor": "edit", "modified": "edit", "updated": "edit",
    "reviewer": "review", "reviewers": "review", "approver": "review", "approved": "review", "auditor": "review",
    "director": "direct", "signed": "sign", "signer": "sign", "signatory": "sign", "manager": "lead", "lead": "lead", "supervisor": "lead", "investigator": "lead", "commander": "lead",
    "speaker": "present", "presenter": "present", "chef": "cook", "cook": "cook", "seller": "sell", "realtor": "sell", "broker": "sell",
    "artist": "paint", "maker": "paint", "sculptor": "paint", "designer": "paint", "architect": "paint", "photographer": "paint", "printmaker": "paint", "potter": "paint", "composer": "paint", "painter": "paint", "host": "host", "closed": "close", "resolved": "close",
}  # fmt: skip

DOCUMENTS = frozenset(
    ["article", "articles", "report", "reports", "paper", "papers", "post", "posts", "story", "stories", "news", "piece", "pieces", "coverage", "document", "documents", "doc", "docs", "file", "files", "page", "pages", "note", "notes", "ticket", "tickets", "issue", "issues", "bug", "bugs", "case", "cases", "request", "requests", "recipe", "recipes", "dish", "dishes", "meal", "meals", "filing", "filings", "statement", "statements", "job", "jobs", "position", "positions", "posting", "postings", "role", "roles", "vacancy", "vacancies", "opening", "openings", "listing", "listings", "house", "houses", "home", "homes", "apartment", "apartments", "flat", "flats", "property", "properties", "book", "books", "film", "films", "movie", "movies", "novel", "novels", "painting", "paintings", "work", "works", "record", "records", "entry", "entries", "incident", "incidents", "outage", "outages", "postmortem", "postmortems", "trial", "trials", "study", "studies", "email", "emails", "mail", "mails", "message", "messages", "memo", "memos", "contract", "contracts", "invoice", "invoices", "order", "orders", "product", "products", "item", "items", "function", "functions", "class", "classes", "script", "scripts", "test", "tests", "meeting", "meetings", "minutes", "transcript", "transcripts", "review", "reviews", "interview", "interviews", "letter", "letters", "event", "events", "course", "courses", "talk", "talks", "presentation", "presentations", "patent", "patents", "song", "songs", "album", "albums", "blog", "blogs", "thread", "threads", "longread", "longreads", "reporting", "analysis", "analyses", "column", "columns", "editorial", "editorials", "feature", "features", "essay", "essays", "publication", "publications", "preprint", "preprints", "thesis", "reads", "read", "material", "materials", "complaint", "complaints", "answer", "answers", "text", "texts", "source", "sources", "version", "versions", "exhibit", "exhibits", "object", "objects", "artwork", "artworks", "print", "prints", "artikel", "bericht", "berichte", "rezept", "rezepte", "dokument", "dokumente", "beitrag", "beitrage", "meldung", "meldungen", "wohnung", "wohnungen", "stelle", "stellen", "buch", "bucher", "filme", "articles", "rapport", "rapports", "recette", "recettes", "documents", "livres", "offre", "offres", "annonce", "annonces", "billets", "articulo", "articulos", "informe", "informes", "receta", "recetas", "documento", "documentos", "libro", "libros", "noticia", "noticias", "oferta", "ofertas", "pelicula", "peliculas", "code", "scripts", "implementation", "implementations", "library", "libraries", "snippet", "snippets", "gift", "gifts", "acquisition", "acquisitions", "place", "places", "boxes", "pictures", "picture", "photographs", "photograph", "photos", "photo", "drawings", "drawing", "decision", "decisions", "judgment", "judgments", "judgement", "judgements", "ruling", "rulings", "verdict", "verdicts", "opinion", "opinions", "episode", "episodes", "lecture", "lectures", "video", "videos", "session", "sessions", "hearing", "hearings", "match", "matches", "game", "games", "lesson", "lessons", "application", "applications", "submission", "submissions", "agreement", "agreements", "policy", "policies", "speech", "speeches", "announcement", "announcements", "release", "releases", "podcasts", "podcast", "shows", "show", "car", "cars", "vehicle", "vehicles", "van", "vans", "bike", "bikes", "conversation", "conversations", "discussion", "discussions", "comment", "comments", "question", "questions", "experiment", "experiments", "survey", "surveys", "guide", "guides", "tutorial", "tutorials", "exercise", "exercises", "invention", "inventions", "hotel", "hotels", "restaurant", "restaurants", "anything", "everything", "something", "things", "stuff", "those", "ones", "any", "all", "alles", "etwas", "tout", "todo", "algo"]
)

CONCEPTS: tuple[frozenset[str], ...] = tuple(
    frozenset(words.split())
    for words in (
        "price cost costs costing priced asking cheap cheaper cheapest expensive pricier amount preis prix precio",
        "rent rents rental month",
        "salary wage wages pay pays paid paying compensation earn earns earning offering gehalt salaire sueldo salario",
        "revenue revenues sales turnover umsatz ingresos",
        "profit income earnings net",
        "time duration takes take taking takes ready done minutes minute quick quicker quickest fast faster fastest long longer prep preparation cook cooking zubereitungszeit",
        "duration lasted lasting last lasts long longer longest shorter outage downtime length runtime running runs run",
        "rating rated ratings rate score scored scores stars star",
        "servings serves serve serving feeds feed yield yields portions portion people persons personen",
        "bedrooms bedroom beds bed br bdr zimmer zimmern chambres habitaciones dormitorios rooms room",
        "bathrooms bathroom baths bath",
        "area size sqm m2 space big bigger large larger surface square",
        "employees employee headcount staff people workforce workers",
        "experience years year yrs",
        "citations citation cited cites citas zitate zitiert citees",
        "pages page length long longer",
        "words word length long longer short shorter",
        "lines line loc long longer",
        "comments comment replies reply responses",
        "year years released release made published built",
        "customers customer users user affected people accounts",
        "participants participant enrolled enrollment patients patient subjects enrolment size",
        "calories calorie kcal kalorien",
        "version versions revision rev",
        "copies copy edition",
        "views view reads hits",
        "attendees attendance visitors spectators crowd crowds audience fans",
        "age aged old",
        "distance far away km kilometers",
        "height tall taller high higher", "width wide wider broad", "weight heavy heavier light lighter", "depth deep deeper",
        "affected affecting affects impacted hit", "floor floors storey etage planta stockwerk",
        "phase phases", "team teams group", "priority prio urgency", "severity sev", "status state", "language languages written sprache lang",
        "country countries nation", "city cities town located based", "category categories section sections topic topics kind", "tags tag tagged label labels labelled labeled keyword keywords",
        "headquarters headquartered hq based", "department departments dept division", "company companies employer firm",
        "licence license licensed licences licenses", "diet dietary", "type types kind kinds form", "platform platforms os", "genre genres", "format formats",
    )
)  # fmt: skip
"""Words that mean one thing: a question that uses one of them may mean a field that is called another."""

DATE_VERBS: tuple[tuple[frozenset[str], frozenset[str]], ...] = tuple(
    (frozenset(field.split()), frozenset(question.split()))
    for field, question in (
        ("decided decision ruled judgment", "decided decides ruled handed decision decisions judgment judgments judgement ruling rulings settled"),
        ("published publication posted release released pub", "published publish publishes appeared appear came posted post released release printed ran veroffentlicht publie publies publiee publiees publicado publicados erschienen"),
        ("created creation opened open reported raised submitted received logged started start begun", "created opened open reported raised submitted logged filed received started began start eroffnet erstellt cree crees creado creados abierto abiertos"),
        ("closed resolved solved finished ended end completed fixed done completion", "closed resolved solved finished ended completed fixed settled done end ended geschlossen gelost ferme fermes cerrado cerrados resuelto resueltos resueltas resolus"),
        ("updated modified changed edited touched commit committed update revision", "updated modified changed edited touched committed change geandert aktualisiert modifie modifies modifiees modificado modificados modificadas actualizado actualizados"),
        ("filed filing submitted submission", "filed filing files file submitted lodged eingereicht depose presentado presentados"),
        ("due deadline expires expiry closing closes close until apply application", "due deadline expires expiring expire close closes closing apply bewerbungsfrist"),
        ("added listed acquired acquisition uploaded", "added listed acquired bought uploaded entered list"),
        ("available availability move", "available free move vacant verfugbar"),
        ("sent", "sent send written wrote emailed mailed"),
        ("granted grant issued", "granted issued erteilt delivre delivres delivrees concedido"),
        ("played held", "played held took"),
        ("written date", "written wrote dated geschrieben ecrit"),
        ("read viewed accessed", "read viewed"),
        ("built construction", "built constructed"),
        ("detected discovered", "detected discovered noticed"),
        ("presented held", "presented held took"),
        ("enrolled enrollment", "enrolled enrolling"),
        ("hired joined", "hired joined"),
    )
)  # fmt: skip
"""Words in a datetime field's name, and the words of a question that point to it."""

MAIN_DATES = ("published", "publication", "date", "posted", "decided", "created", "filed", "released", "release", "listed", "opened", "reported",
              "started", "start", "submitted", "added", "occurred", "acquired")  # fmt: skip
"""Words in the name of a collection's main date, the surest first."""

YEAR_WORDS = frozenset(["year", "jahr", "annee", "ano", "yr"])
