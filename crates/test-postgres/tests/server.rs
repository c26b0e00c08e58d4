//! What tests may expect of the server they get.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use sqlx::{Connection, PgConnection, Row};
use test_postgres::{Cluster, Settings, url};

#[tokio::test]
async fn all_tests_of_a_process_get_one_server_that_answers() {
    let (one, two) = tokio::join!(url(), url());
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!(one, two);
    let mut connection = PgConnection::connect(&one).await.unwrap();
    let row = sqlx::query("select 41 + 1").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<i32, _>(0), 42);
}

#[tokio::test]
async fn a_cluster_keeps_url_and_data_when_it_is_stopped_or_killed_and_restarted() {
    let cluster = Cluster::start(Settings::default()).await.unwrap();
    let url = cluster.url();
    execute(&url, "create table kept (n int)").await;
    execute(&url, "insert into kept values (1)").await;
    cluster.stop().await.unwrap();
    assert!(PgConnection::connect(&url).await.is_err());
    cluster.restart().await.unwrap();
    execute(&url, "insert into kept values (2)").await;
    cluster.kill().await.unwrap();
    assert!(PgConnection::connect(&url).await.is_err());
    cluster.restart().await.unwrap();
    assert_eq!(cluster.url(), url);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let row = sqlx::query("select count(*) from kept").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<i64, _>(0), 2);
}

#[tokio::test]
async fn two_clusters_run_side_by_side_and_end_when_they_are_dropped() {
    let (one, two) =
        tokio::join!(Cluster::start(Settings::default()), Cluster::start(Settings::default()));
    let (one, two) = (one.unwrap(), two.unwrap());
    let (gone, left) = (one.url(), two.url());
    assert_ne!(gone, left);
    let dir = directory(&gone).await;
    assert!(dir.exists());
    drop(one);
    assert!(!dir.exists());
    assert!(PgConnection::connect(&gone).await.is_err());
    execute(&left, "select 1").await;
}

#[tokio::test]
async fn a_killed_process_leaves_no_server_and_no_directory() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_test-postgres"));
    process.arg("--durable").stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process = process.spawn().unwrap();
    let url = first_line(&mut process);
    let dir = directory(&url).await;
    process.kill().unwrap();
    // The output ends with the last of those who clean up.
    process.wait_with_output().unwrap();
    assert!(!dir.exists(), "{} is still there", dir.display());
    assert!(PgConnection::connect(&url).await.is_err());
}

#[test]
fn a_command_gets_the_url_and_its_exit_code_is_passed_on() {
    let mut process = Command::new(env!("CARGO_BIN_EXE_test-postgres"));
    let process = process.args(["--durable", "sh", "-c", "echo $DATABASE_URL; exit 3"]);
    let output = process.output().unwrap();
    assert!(output.stdout.starts_with(b"postgres://postgres@127.0.0.1:"), "{output:?}");
    assert_eq!(output.status.code(), Some(3));
}

async fn execute(url: &str, sql: &'static str) {
    let mut connection = PgConnection::connect(url).await.expect("the server answers");
    sqlx::query(sql).execute(&mut connection).await.expect("the statement is correct");
}

/// Where the server keeps its data, as the server says.
async fn directory(url: &str) -> PathBuf {
    let mut connection = PgConnection::connect(url).await.expect("the server answers");
    let row = sqlx::query("show data_directory").fetch_one(&mut connection).await;
    let data = PathBuf::from(row.expect("a superuser may ask").get::<String, _>(0));
    data.parent().expect("the data is in a directory of the cluster").to_owned()
}

fn first_line(process: &mut Child) -> String {
    let mut line = String::new();
    let stdout = process.stdout.as_mut().expect("the output is piped");
    BufReader::new(stdout).read_line(&mut line).expect("the process prints the url");
    line.trim().to_owned()
}
