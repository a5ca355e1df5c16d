//! A database for every test, copied from a template that is made once per server and schema.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::atomic::{AtomicU32, Ordering};

use habeas_environment::Environment;
use habeas_store::{Database, migrate};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, PgConnection};

const VARIABLE: &str = "HABEAS_TEST_POSTGRES";
/// Test processes wait for one another while the template is made.
const TEMPLATE_LOCK: i64 = 7_301_442;

/// A database that is dropped when this is.
#[derive(Debug)]
pub(crate) struct OwnDatabase {
    server: String,
    name: String,
}

impl OwnDatabase {
    pub(crate) async fn create() -> Self {
        static CREATED: AtomicU32 = AtomicU32::new(0);
        let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
            panic!(
                "{VARIABLE} names no PostgreSQL server: start it with `cargo xtask postgres` or run `cargo xtask test`"
            )
        });
        let number = CREATED.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        let mut connection = connect(&server, "postgres").await;
        let template = template(&server, &mut connection).await;
        // A process with the same id may have been killed before it could clean up.
        run(&mut connection, format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
        run(&mut connection, format!("CREATE DATABASE {name} TEMPLATE {template} STRATEGY FILE_COPY")).await;
        Self { server, name }
    }

    pub(crate) fn url(&self) -> String {
        url(&self.server, &self.name)
    }
}

impl Drop for OwnDatabase {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A test's runtime cannot be blocked on from inside, so this takes a thread with one of its own. If it fails,
        // the throw-away server takes the database with it.
        let dropper = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection =
                    PgConnection::connect(&url(&server, "postgres")).await.map_err(std::io::Error::other)?;
                let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
                connection
                    .execute(sqlx::raw_sql(AssertSqlSafe(statement)))
                    .await
                    .map_err(std::io::Error::other)
            })
        });
        drop(dropper.join());
    }
}

fn url(server: &str, database: &str) -> String {
    format!("{}/{database}", server.trim_end_matches('/'))
}

async fn connect(server: &str, database: &str) -> PgConnection {
    PgConnection::connect(&url(server, database))
        .await
        .unwrap_or_else(|error| panic!("the server that {VARIABLE} names does not answer: {error}"))
}

async fn run(connection: &mut PgConnection, statement: String) {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statement))).await.expect("the test server obeys");
}

/// The name of the migrated template. It is made under another name first, so one that exists is complete; the name
/// holds a hash of the migrations, so a server that outlives a change of the schema gets a new one.
async fn template(server: &str, connection: &mut PgConnection) -> String {
    let mut hasher = DefaultHasher::new();
    migrate::MIGRATIONS.hash(&mut hasher);
    let name = format!("template_{:016x}", hasher.finish());
    run(connection, format!("SELECT pg_advisory_lock({TEMPLATE_LOCK})")).await;
    let found: Option<i32> = sqlx::query_scalar("SELECT 1 FROM pg_database WHERE datname = $1")
        .bind(&name)
        .fetch_optional(&mut *connection)
        .await
        .expect("the test server answers");
    if found.is_none() {
        run(connection, "DROP DATABASE IF EXISTS template_unfinished WITH (FORCE)".to_owned()).await;
        run(connection, "CREATE DATABASE template_unfinished".to_owned()).await;
        let database = Database::open(&url(server, "template_unfinished"), &Environment::system())
            .await
            .expect("a database that can be reached");
        database.migrate().await.expect("migrations that apply");
        drop(database);
        // Connections of the pool close in the background; a database in use cannot be renamed.
        run(
            connection,
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = 'template_unfinished'"
                .to_owned(),
        )
        .await;
        run(connection, format!("ALTER DATABASE template_unfinished RENAME TO {name}")).await;
    }
    run(connection, format!("SELECT pg_advisory_unlock({TEMPLATE_LOCK})")).await;
    name
}
