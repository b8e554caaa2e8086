/* What 0.2.0 has and 0.1.0 had not: an updated database has the same objects as a fresh one. */

\echo Use "ALTER EXTENSION srm UPDATE TO '0.2.0'" to load this file. \quit

