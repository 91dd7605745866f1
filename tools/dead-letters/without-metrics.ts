/**
 * Imported before the service: its metrics are lines on standard output, which here belongs to a person, and the library reads
 * this variable when it is loaded.
 */
process.env.POWERTOOLS_METRICS_DISABLED = "true";
